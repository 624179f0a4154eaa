import type { Mix } from "./capacity/service_goal.ts";
import type { SeenDemand } from "./observation.ts";

/** Beyond these nobody is believed. */
const most = { rate: 1e6, tokens: 1e7, waiting: 1e6 };
/** One window's value moves what is believed of lengths by this share. */
const share = 0.05;

/** What is believed of a model's requests. */
export interface BelievedDemand {
  /** Lengths as they were of late. */
  readonly mix: Mix;
  /** Prompt tokens to compute, and answer tokens, that are asked per second now. */
  readonly promptRate: number;
  readonly answerRate: number;
  /** Answers that end per second; absent where that is not known. */
  readonly doneRate?: number;
  /** Requests that wait. */
  readonly waiting: number;
}

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

  /** The demand as believed; `undefined` while lengths are not known. Pure but for what it remembers. */
  take(demand: SeenDemand): BelievedDemand | undefined {
    const rate = this.#fit(demand.rate, most.rate);
    const isl = this.#tokens(demand.isl);
    const newTokens = this.#tokens(demand.newTokens);
    const osl = this.#tokens(demand.osl);
    this.#newTokens = smooth(this.#newTokens, newTokens);
    this.#isl = smooth(this.#isl, isl ?? (this.#isl === undefined ? newTokens : undefined));
    this.#osl = smooth(this.#osl, osl);
    const doneRate = demand.doneRate === undefined
      ? undefined
      : this.#fit(demand.doneRate, most.rate);
    const waiting = this.#fit(demand.waiting, most.waiting) ?? 0;
    if (rate === undefined || this.#isl === undefined || this.#osl === undefined) return undefined;
    const computed = this.#newTokens ?? this.#isl;
    return {
      // Prompts are known when they come, whole requests when they end: lengths that rise are seen in the former first.
      mix: { rate, isl: Math.max(this.#isl, computed), newTokens: computed, osl: this.#osl },
      promptRate: rate * (newTokens ?? computed),
      answerRate: rate * (osl ?? this.#osl),
      ...(doneRate === undefined ? {} : { doneRate }),
      waiting,
    };
  }

  #tokens(seen: number | undefined): number | undefined {
    return seen === undefined ? undefined : this.#fit(seen, most.tokens);
  }

  #fit(value: number, limit: number): number | undefined {
    if (Number.isFinite(value) && value >= 0 && value <= limit) return value;
    this.rejected += 1;
    return undefined;
  }
}

function smooth(known: number | undefined, seen: number | undefined): number | undefined {
  if (seen === undefined) return known;
  return known === undefined ? seen : known + share * (seen - known);
}
