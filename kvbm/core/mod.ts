/**
 * The pool's books alone, for those who measure them: which slot holds which block, what goes first.
 * @module
 */
export { BlockPool } from "./block_pool.ts";
export type { PoolCounts } from "./pool_counts.ts";
export { evictionNames } from "./eviction_order.ts";
export type { EvictionName } from "./eviction_order.ts";
export { slotStates } from "./slot_table.ts";
export { PoolTrial } from "./pool_trial_testing.ts";
export type { Draw } from "./pool_trial_testing.ts";
