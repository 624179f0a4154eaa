import type { ModelHash } from "@pixii/wire";
import { startOfProcess } from "@pixii/runtime";
import type { ServiceContext } from "@pixii/runtime";
import type { Engine } from "../engine.ts";
import { HostStore } from "./host_store.ts";
import { namedKvbm, registeredKvbms } from "./kvbm_finder.ts";

/** Whether and where a worker looks for a host tier. */
export interface StoreChoice {
  /** `auto`: the kvbm of this host in the registry; `off`; or the path of a kvbm's socket. */
  readonly kvbm: string;
  readonly model: ModelHash;
}

/** Gives an engine that can use one a host tier; nothing where it cannot or is not to have one. */
export async function openHostStore(
  engine: Engine,
  context: ServiceContext,
  { kvbm, model }: StoreChoice,
): Promise<HostStore | undefined> {
  const { hostTier } = engine;
  if (hostTier === undefined || kvbm === "off" || Deno.build.os === "windows") return undefined;
  const { registry, namespace, clock, instance } = context;
  const log = context.log.child("kv-store");
  const finder = kvbm === "auto"
    ? await registeredKvbms(registry, { namespace, log })
    : namedKvbm(kvbm);
  const { layoutFingerprint, blockSize } = engine.card();
  const store = new HostStore({
    hello: {
      ...{ instance, model, layoutFingerprint, blockSize },
      pid: Deno.pid,
      processStart: startOfProcess(Deno.pid) ?? "",
      blockBytes: hostTier.blockBytes,
    },
    ...{ finder, user: hostTier, clock, log },
  });
  hostTier.use(store);
  return store;
}
