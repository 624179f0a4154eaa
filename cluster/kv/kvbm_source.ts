import { decodeRecord, fail, keys, modelHashOf, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { connectRegistry } from "@pixii/runtime";
import type { Clock, Log } from "@pixii/runtime";
import type { ReadyFacts } from "../ready_file.ts";
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
    return ok({ admins: config.admin.map((url) => url.replace(/\/+$/, "")), names: new Map() });
  }
  if (config["ready-file"] !== "") return await fromReadyFile(config["ready-file"]);
  if (config.etcd !== "") return await fromRegistry(config, io);
  return fail(
    "invalid_request",
    "Cannot tell which kvbm to ask: give --admin URL, --ready-file PATH, or --etcd URL",
  );
}

async function fromReadyFile(path: string): Promise<Result<FoundKvbms>> {
  let facts: ReadyFacts;
  try {
    facts = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    const { message } = error as Error;
    return fail(
      "invalid_request",
      `Cannot read the ready file ${path}: ${message}; is deno task dev running with it?`,
    );
  }
  const kvbms = facts.processes?.filter(({ service }) => service === "kvbm") ?? [];
  if (kvbms.length === 0) {
    return fail("invalid_request", `Cannot find a kvbm in ${path}: is it a ready file?`);
  }
  return ok({ admins: kvbms.map(({ admin }) => admin), names: namesOf(facts.models ?? []) });
}

async function fromRegistry(
  { etcd, namespace }: KvConfig,
  { clock, log, signal }: KvbmSourceIo,
): Promise<Result<FoundKvbms>> {
  const registry = await connectRegistry(etcd, { clock, log, signal });
  if (!registry.ok) return registry;
  await using open = registry.value;
  const kvbms = await open.list(`${keys(namespace).instances}kvbm/`);
  const models = await open.list(keys(namespace).models);
  if (!kvbms.ok) return kvbms;
  const admins = kvbms.value.flatMap(({ value }) => {
    const record = decodeRecord("instance", value);
    return record.ok ? [record.value.admin] : [];
  });
  const served = (models.ok ? models.value : []).flatMap(({ value }) => {
    const card = decodeRecord("model", value);
    return card.ok ? [card.value.name] : [];
  });
  if (admins.length > 0) return ok({ admins, names: namesOf(served) });
  return fail(
    "not_found",
    `Cannot find a kvbm of namespace ${namespace} in ${etcd}: none is registered; see --namespace`,
  );
}

function namesOf(models: readonly string[]): Map<string, string> {
  return new Map(models.map((name) => [modelHashOf(name), name]));
}
