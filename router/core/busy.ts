import type { BusyRules } from "./queue_rules.ts";
import type { Rank } from "./rank.ts";

/** True where a rank should get no more requests until some of its own are done; `prefillMs` goes by what `foresee` last found. */
export function isBusy({ load, card }: Rank, rules: BusyRules): boolean {
  return load.requests >= card.maxSeqs + rules.waitingPerRank ||
    (rules.prefillTokens > 0 && load.prefillTokens >= rules.prefillTokens) ||
    ((rules.prefillMs ?? 0) > 0 && load.aheadMs >= rules.prefillMs!) ||
    (rules.blocks > 0 && load.blocks >= rules.blocks * card.totalBlocks && load.requests > 0);
}

/** How many ranks are not full, each as it is predicted to be now; `assumedRate` as for `foresee`. O(ranks). */
export function roomOf(
  ranks: readonly Rank[],
  rules: BusyRules,
  { nowMs, assumedRate }: { readonly nowMs: number; readonly assumedRate: number },
): number {
  let count = 0;
  for (const rank of ranks) {
    rank.load.foresee(nowMs, assumedRate);
    if (!isBusy(rank, rules)) count += 1;
  }
  return count;
}
