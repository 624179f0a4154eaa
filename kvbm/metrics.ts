import type { Metrics } from "@pixii/runtime";
import type { TierRoom } from "./core/tier_room.ts";

/** The block manager's metrics; every name is listed here once. `rooms` is read at each exposition. */
export function kvbmMetrics(metrics: Metrics, rooms: () => readonly TierRoom[]): void {
  const capacity = metrics.gauge("pixii_kvbm_tier_capacity_bytes", "Size of a tier; 0 while off", [
    "tier",
  ]);
  const used = metrics.gauge("pixii_kvbm_tier_used_bytes", "Bytes of blocks in a tier", ["tier"]);
  metrics.onCollect(() => {
    for (const { tier, capacityBytes, usedBytes } of rooms()) {
      capacity.set(capacityBytes, { tier });
      used.set(usedBytes, { tier });
    }
  });
}
