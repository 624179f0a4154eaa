import { decodeRecord, fail, keys, modelHashOf, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { connectRegistry } from "@pixii/runtime";
import type { Clock, Log } from "@pixii/runtime";
import { adminsInReadyFile, adminsInRegistry, namedAdmins } from "../admin_ports.ts";
import type { KvConfig } from "./kv_config.ts";

/** The kvbms to ask, and the names behind the hashes that they know models by. */
export interface FoundKvbms {
  readonly admins: readonly string[];
  readonly names: ReadonlyMap<string, string>;
}

/** What looking for them touches. */
export interface KvbmSourceIo {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Admin addresses of the kvbms that the options name. Fails with the code of what is missing. */
export async function findKvbms(config: KvConfig, io: KvbmSourceIo): Promise<Result<FoundKvbms>> {
  if (config.admin.length > 0) {
    return ok({ admins: namedAdmins(config.admin), names: new Map() });
  }
  if (config["ready-file"] !== "") return await fromReadyFile(config["ready-file"]);
  if (config.etcd !== "") return await fromRegistry(config, io);
  return fail(
    "invalid_request",
    "Cannot tell which kvbm to ask: give --admin URL, --ready-file PATH, or --etcd URL",
  );
}

async function fromReadyFile(path: string): Promise<Result<FoundKvbms>> {
  const found = await adminsInReadyFile(path, "kvbm");
  if (!found.ok) return found;
  const { admins, facts } = found.value;
  return ok({ admins, names: namesOf(facts.models ?? []) });
}

async function fromRegistry(
  config: KvConfig,
  { clock, log, signal }: KvbmSourceIo,
): Promise<Result<FoundKvbms>> {
  const registry = await connectRegistry(config.etcd, { clock, log, signal });
  if (!registry.ok) return registry;
  await using open = registry.value;
  const admins = await adminsInRegistry(open, "kvbm", config);
  if (!admins.ok) return admins;
  const models = await open.list(keys(config.namespace).models);
  const served = (models.ok ? models.value : []).flatMap(({ value }) => {
    const card = decodeRecord("model", value);
    return card.ok ? [card.value.name] : [];
  });
  return ok({ admins: admins.value, names: namesOf(served) });
}

function namesOf(models: readonly string[]): Map<string, string> {
  return new Map(models.map((name) => [modelHashOf(name), name]));
}
