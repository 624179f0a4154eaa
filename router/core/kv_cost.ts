import type { Overlap } from "@pixii/wire";
import { addTerm } from "./scored.ts";
import type { Scored } from "./scored.ts";

/** Weights of policy `kv`. */
export interface KvWeights {
  /** 0 = the cheapest; above, worse ones are chosen the more often, the higher it is. */
  readonly temperature: number;
  readonly prefillScale: number;
  /** Blocks that one running request costs beside its own. */
  readonly activeWeight: number;
  /** Blocks that one block found in a tier saves. */
  readonly deviceCredit: number;
  /**
   * How fast the credit for blocks on the device fades with the load of their worker: at 1 it is halved where as many
   * prompt blocks more than at the least loaded candidate wait as the request has itself. 0 = never.
   */
  readonly creditDecay?: number;
  readonly hostCredit: number;
  readonly diskCredit: number;
}

/** `deviceCredit * decay * device + hostCredit * host + diskCredit * disk`, in blocks; `decay` in (0, 1]. */
export function kvCredit(overlap: Overlap, weights: KvWeights, decay = 1): number {
  return weights.deviceCredit * decay * overlap.device + weights.hostCredit * overlap.host +
    weights.diskCredit * overlap.disk;
}

/**
 * Prices the candidates in blocks:
 * `prefill = prefillScale * max(0, (activePrefillTokens + isl) / blockSize - credit)`, the device's part of the credit
 * divided by `1 + creditDecay * excess / isl` for the prompt tokens in excess of the least loaded candidate's,
 * `decode` = the blocks it would hold with this request (`ceil(isl / blockSize)` of them its own),
 * `active = activeWeight * activeRequests`. Each is counted in the rank's own blocks and, where sizes differ, told in
 * the smallest size among the candidates, so that costs compare.
 */
export function priceKv(candidates: readonly Scored[], isl: number, weights: KvWeights): void {
  const unit = Math.min(...candidates.map((one) => one.rank.card.blockSize));
  const fading = weights.creditDecay ?? 0;
  const leastTokens = fading === 0
    ? 0
    : Math.min(...candidates.map((one) => one.rank.load.prefillTokens));
  for (const one of candidates) {
    const { load, card } = one.rank;
    const { blockSize } = card;
    const scale = blockSize / unit;
    const excess = fading === 0 ? 0 : (load.prefillTokens - leastTokens) / Math.max(1, isl);
    const credit = kvCredit(one.overlap, weights, 1 / (1 + fading * excess));
    const missing = (load.prefillTokens + isl) / blockSize - credit;
    addTerm(one, "prefill", scale * weights.prefillScale * Math.max(0, missing));
    addTerm(one, "decode", scale * (load.blocks + Math.ceil(isl / blockSize)));
    addTerm(one, "active", weights.activeWeight * load.requests);
  }
}
