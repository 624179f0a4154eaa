import type { Counter, Metrics } from "@pixii/runtime";
import type { PoolCounts } from "./core/block_pool.ts";
import type { TierRoom } from "./core/tier_room.ts";

/** What the metrics read at each exposition. */
export interface MeasuredPool {
  rooms(): readonly TierRoom[];
  /** Blocks of the host tier that somebody reads, that nobody reads, and slots being written. */
  blocks(): { readonly pinned: number; readonly unused: number; readonly reserved: number };
  counts(): Readonly<PoolCounts>;
  workers(): number;
}

const helps: Readonly<Record<keyof PoolCounts, readonly [name: string, help: string]>> = {
  hits: ["pixii_kvbm_block_hits_total", "Blocks asked for that were there"],
  misses: ["pixii_kvbm_block_misses_total", "Blocks asked for that were not there"],
  commits: ["pixii_kvbm_block_commits_total", "Blocks stored"],
  duplicates: ["pixii_kvbm_block_duplicates_total", "Blocks stored by another worker already"],
  evictions: ["pixii_kvbm_block_evictions_total", "Blocks evicted to make room"],
  refused: ["pixii_kvbm_slots_refused_total", "Slots wanted while everything was held"],
  damaged: ["pixii_kvbm_blocks_corrupt_total", "Blocks that a worker found damaged"],
};

/** The block manager's metrics; every name is listed here once. Answers the counter of event batches. */
export function kvbmMetrics(metrics: Metrics, pool: MeasuredPool): { readonly batches: Counter } {
  const capacity = metrics.gauge("pixii_kvbm_tier_capacity_bytes", "Size of a tier; 0 while off", [
    "tier",
  ]);
  const used = metrics.gauge("pixii_kvbm_tier_used_bytes", "Bytes of blocks in a tier", ["tier"]);
  const blocks = metrics.gauge("pixii_kvbm_blocks", "Slots of the host tier", ["state"]);
  const workers = metrics.gauge("pixii_kvbm_workers", "Workers that hold a part of the pool");
  const totals = Object.entries(helps).map(([key, [name, help]]) => ({
    key: key as keyof PoolCounts,
    counter: metrics.counter(name, help),
    told: 0,
  }));
  metrics.onCollect(() => {
    for (const { tier, capacityBytes, usedBytes } of pool.rooms()) {
      capacity.set(capacityBytes, { tier });
      used.set(usedBytes, { tier });
    }
    for (const [state, count] of Object.entries(pool.blocks())) blocks.set(count, { state });
    workers.set(pool.workers());
    const counts = pool.counts();
    for (const total of totals) {
      total.counter.add(counts[total.key] - total.told);
      total.told = counts[total.key];
    }
  });
  return {
    batches: metrics.counter("pixii_kvbm_kv_event_batches_total", "KV event batches published"),
  };
}
