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
  readonly hostCredit: number;
  readonly diskCredit: number;
}

/** `deviceCredit * device + hostCredit * host + diskCredit * disk`, in blocks. */
export function kvCredit(overlap: Overlap, weights: KvWeights): number {
  return weights.deviceCredit * overlap.device + weights.hostCredit * overlap.host +
    weights.diskCredit * overlap.disk;
}

/**
 * Prices the candidates in blocks:
 * `prefill = prefillScale * max(0, (activePrefillTokens + isl) / blockSize - credit)`,
 * `decode` = the blocks it would hold with this request (`ceil(isl / blockSize)` of them its own),
 * `active = activeWeight * activeRequests`. Each is counted in the rank's own blocks and, where sizes differ, told in
 * the smallest size among the candidates, so that costs compare.
 */
export function priceKv(candidates: readonly Scored[], isl: number, weights: KvWeights): void {
  const unit = Math.min(...candidates.map((one) => one.rank.card.blockSize));
  for (const one of candidates) {
    const { load, card } = one.rank;
    const { blockSize } = card;
    const scale = blockSize / unit;
    const missing = (load.prefillTokens + isl) / blockSize - kvCredit(one.overlap, weights);
    addTerm(one, "prefill", scale * weights.prefillScale * Math.max(0, missing));
    addTerm(one, "decode", scale * (load.blocks + Math.ceil(isl / blockSize)));
    addTerm(one, "active", weights.activeWeight * load.requests);
  }
}
