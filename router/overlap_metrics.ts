import type { Metrics } from "@pixii/runtime";

/** Part of a prompt's blocks that the chosen worker holds. */
const hitBuckets = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

/** What the chosen workers held of the prompts that were placed, and what was brought up for them. */
export function overlapMetrics(metrics: Metrics) {
  return {
    overlapBlocks: metrics.counter(
      "pixii_router_overlap_blocks_total",
      "Prompt blocks that the chosen workers held",
      ["tier"],
    ),
    prefetchBlocks: metrics.counter(
      "pixii_router_prefetch_blocks_total",
      "Blocks on disk or in memory that a block manager was told of ahead of their request",
    ),
    promptBlocks: metrics.counter(
      "pixii_router_prompt_blocks_total",
      "Whole prompt blocks of the requests placed",
    ),
    hitRate: metrics.histogram(
      "pixii_router_kv_hit_rate",
      "Part of a prompt's whole blocks that the chosen worker held",
      hitBuckets,
    ),
  };
}
