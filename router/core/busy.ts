import type { BusyRules } from "./queue_rules.ts";
import type { Rank } from "./rank.ts";

/** True where a rank should get no more requests until some of its own are done. */
export function isBusy({ load, card }: Rank, rules: BusyRules): boolean {
  return load.requests >= card.maxSeqs + rules.waitingPerRank ||
    (rules.prefillTokens > 0 && load.prefillTokens >= rules.prefillTokens) ||
    (rules.blocks > 0 && load.blocks >= rules.blocks * card.totalBlocks && load.requests > 0);
}
