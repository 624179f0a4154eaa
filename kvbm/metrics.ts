import type { Counter, Metrics } from "@pixii/runtime";
import type { PoolCounts } from "./core/pool_counts.ts";
import type { TierFlow, TierRoom } from "./core/tier_room.ts";
import { totalCounter } from "./total_counter.ts";

/** What the metrics read at each exposition. */
export interface MeasuredPool {
  rooms(): readonly TierRoom[];
  /** Blocks of the host tier that somebody reads, that nobody reads, and slots being written. */
  blocks(): { readonly pinned: number; readonly unused: number; readonly reserved: number };
  counts(): Readonly<PoolCounts>;
  workers(): number;
  flows(): readonly TierFlow[];
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
    tell: totalCounter(metrics, name, { help }),
  }));
  const tellFlows = flowMetrics(metrics);
  metrics.onCollect(() => {
    tellFlows(pool.flows());
    for (const { tier, capacityBytes, usedBytes } of pool.rooms()) {
      capacity.set(capacityBytes, { tier });
      used.set(usedBytes, { tier });
    }
    for (const [state, count] of Object.entries(pool.blocks())) blocks.set(count, { state });
    workers.set(pool.workers());
    const counts = pool.counts();
    for (const { key, tell } of totals) tell(counts[key]);
  });
  return {
    batches: metrics.counter("pixii_kvbm_kv_event_batches_total", "KV event batches published"),
  };
}

/** Metrics of what moves between the tiers. Answers what is to be called with the flows at each exposition. */
function flowMetrics(metrics: Metrics): (flows: readonly TierFlow[]) => void {
  const total = (name: string, help: string, labels: string[]) =>
    totalCounter(metrics, name, { help, labels });
  const way = ["tier", "direction"];
  const hits = total("pixii_kvbm_tier_hits_total", "Blocks a tier gave", ["tier"]);
  const evictions = total("pixii_kvbm_tier_evictions_total", "Blocks a tier evicted", ["tier"]);
  const damaged = total("pixii_kvbm_tier_damaged_total", "Blocks a tier found damaged", ["tier"]);
  const errors = total("pixii_kvbm_tier_errors_total", "Reads and writes that failed", ["tier"]);
  const moved = total("pixii_kvbm_tier_moved_bytes_total", "Bytes read from and written to", way);
  const rate = metrics.gauge("pixii_kvbm_tier_bytes_per_second", "Speed while it moves", way);
  const queue = metrics.gauge("pixii_kvbm_tier_queue", "Moves under way or waiting", way);
  return (flows) => {
    for (const { tier, hits: hit, evictions: evicted, moves } of flows) {
      hits(hit, { tier });
      evictions(evicted, { tier });
      if (moves === undefined) continue;
      damaged(moves.damaged, { tier });
      errors(moves.errors, { tier });
      moved(moves.readBytes, { tier, direction: "read" });
      moved(moves.writtenBytes, { tier, direction: "write" });
      rate.set(moves.readBytesPerSecond, { tier, direction: "read" });
      rate.set(moves.writtenBytesPerSecond, { tier, direction: "write" });
      queue.set(moves.reads, { tier, direction: "read" });
      queue.set(moves.writes, { tier, direction: "write" });
    }
  };
}
