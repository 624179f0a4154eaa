import { ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { formatBytes, RouteAnswer } from "@pixii/runtime";
import type { Service, ServiceContext, ServiceSpec } from "@pixii/runtime";
import { kvbmSchema } from "./config.ts";
import type { KvbmConfig } from "./config.ts";
import { tiersWith } from "./core/tier_room.ts";
import type { TierRoom } from "./core/tier_room.ts";
import { HostTier } from "./host_tier.ts";
import { KvDesk } from "./kv_desk.ts";
import { kvbmMetrics } from "./metrics.ts";
import { peerMetrics } from "./peer/peer_metrics.ts";

const noCounts = {
  hits: 0,
  misses: 0,
  commits: 0,
  duplicates: 0,
  evictions: 0,
  refused: 0,
  damaged: 0,
};
const noBlocks = { pinned: 0, unused: 0, reserved: 0 };

/** The block manager program. */
export const kvbmSpec: ServiceSpec<typeof kvbmSchema> = {
  name: "kvbm",
  summary:
    "Keeps KV blocks below the GPU: the host tier in shared memory, for all workers of a host",
  schema: kvbmSchema,
  async start(config, context): Promise<Service> {
    const held: { tier?: HostTier } = {};
    const rooms = (): readonly TierRoom[] => held.tier?.rooms() ?? tiersWith({});
    const { batches } = kvbmMetrics(context.metrics, {
      rooms,
      blocks: () => held.tier?.blocks() ?? noBlocks,
      counts: () => held.tier?.pool.counts ?? noCounts,
      workers: () => held.tier?.workers ?? 0,
      flows: () => held.tier?.flows() ?? [],
    });
    peerMetrics(context.metrics, { facts: () => held.tier?.peers.facts() });
    held.tier = await openTier(config, context, () => batches.add());
    const desk = () => held.tier && new KvDesk(held.tier, context.clock);
    return {
      health: () => ({
        status: "ready",
        details: { tiers: rooms(), workers: held.tier?.workers ?? 0, bus: context.bus.status },
      }),
      adminRoutes: {
        "/pool": () => held.tier?.facts() ?? { off: true },
        "/kv": () => desk()?.facts() ?? { off: true },
      },
      adminActions: {
        "/kv/verify": () => desk()?.verify() ?? { off: true },
        "/kv/drop": async (url) => {
          const dropped = await desk()?.drop(url) ?? ok({ host: 0, disk: 0 });
          return dropped.ok ? dropped.value : new RouteAnswer(400, { error: dropped.error });
        },
      },
      drain: async (signal) => await held.tier?.drain(signal),
      [Symbol.asyncDispose]: async () => {
        await held.tier?.[Symbol.asyncDispose]();
        held.tier = undefined;
      },
    };
  },
};

/** The host tier, or a sentence in the log why there is none: the cluster serves without it. */
async function openTier(
  config: KvbmConfig,
  context: ServiceContext,
  onBatch: () => void,
): Promise<HostTier | undefined> {
  const { log } = context;
  const wanted = config["kv.host"];
  if (wanted === 0) {
    log.info("the host tier is off");
    if (config["kv.disk"] !== "") {
      log.warn("no disk tier: it lies below the host tier, which is off (--kv-host 0)");
    }
    return undefined;
  }
  const opened: Result<HostTier> = await HostTier.open(config, context, onBatch);
  if (!opened.ok) {
    log.warn("no host tier: workers keep KV on the device only", { reason: opened.error.message });
    return undefined;
  }
  const { bytes, path } = opened.value;
  if (bytes < wanted * 0.9) {
    log.warn(
      `the host tier is ${formatBytes(bytes)} instead of ${
        formatBytes(wanted)
      }: there is no more room for ${path}`,
    );
  }
  return opened.value;
}
