import type { Service, ServiceSpec } from "@pixii/runtime";
import { kvbmSchema } from "./config.ts";
import { tiersOff } from "./core/tier_room.ts";
import { kvbmMetrics } from "./metrics.ts";

/** What the block manager does not do yet, for `/health` and the log. */
const missing = "tiers come later: workers keep KV on the device only";

/** The block manager program. */
export const kvbmSpec: ServiceSpec<typeof kvbmSchema> = {
  name: "kvbm",
  summary: "Will keep KV blocks below the GPU; has no tiers yet",
  schema: kvbmSchema,
  start(_config, context): Promise<Service> {
    kvbmMetrics(context.metrics, tiersOff);
    context.log.info(missing);
    return Promise.resolve({
      health: () => ({
        status: "ready",
        details: { missing, tiers: tiersOff(), bus: context.bus.status },
      }),
      drain: () => Promise.resolve(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    });
  },
};
