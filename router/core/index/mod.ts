/**
 * The prefix index by itself, for those who measure it.
 * @module
 */
export { IndexBudget } from "../index_budget.ts";
export type { ApplyOutcome, OwnerSlot, PrefixIndex, TierOwners } from "../prefix_index.ts";
export { overlapStride } from "../prefix_index.ts";
export { RunIndex } from "../run_index.ts";
