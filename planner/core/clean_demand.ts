import type { Mix } from "./capacity/service_goal.ts";
import type { SeenDemand } from "./observation.ts";

/** Beyond these nobody is believed. */
const most = { rate: 1e6, tokens: 1e7 };
/** One window's value moves what is believed of lengths by this share. */
const share = 0.025;

/**
 * What is believed of a model's requests. Rates are taken as they come once they are numbers at all; lengths move slowly,
 * since a window has few requests, and one that is absurd is passed over.
 */
export class CleanDemand {
  #isl: number | undefined;
  #newTokens: number | undefined;
  #osl: number | undefined;
  /** Observations that were passed over, whole or in part. */
  rejected = 0;

  /** The mix as believed; `undefined` while lengths are not known. Pure but for what it remembers. */
  take(demand: SeenDemand): Mix | undefined {
    const rate = this.#fit(demand.rate, most.rate);
    this.#isl = this.#smooth(this.#isl, demand.isl);
    this.#newTokens = this.#smooth(this.#newTokens, demand.newTokens);
    this.#osl = this.#smooth(this.#osl, demand.osl);
    if (rate === undefined || this.#isl === undefined || this.#osl === undefined) return undefined;
    const newTokens = Math.min(this.#isl, this.#newTokens ?? this.#isl);
    return { rate, isl: this.#isl, newTokens, osl: this.#osl };
  }

  #smooth(known: number | undefined, seen: number | undefined): number | undefined {
    if (seen === undefined) return known;
    const fit = this.#fit(seen, most.tokens);
    if (fit === undefined) return known;
    return known === undefined ? fit : known + share * (fit - known);
  }

  #fit(value: number, limit: number): number | undefined {
    if (Number.isFinite(value) && value >= 0 && value <= limit) return value;
    this.rejected += 1;
    return undefined;
  }
}
