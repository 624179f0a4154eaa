/** How far an event source is believed: `exact` in full, `degraded` half, `off` not at all. It always gets work by load. */
export type TrustState = "exact" | "degraded" | "off";

/** All states of trust, for gauges. */
export const trustStates: readonly TrustState[] = ["exact", "degraded", "off"];

/** How many audits it takes. */
export const trustLimits = {
  /** Clean audits in a row after which a degraded source is believed again. */
  proofs: 2,
  /** Wrong audits, without being believed in between, after which a source is off. */
  mostWrong: 3,
  /** Clean audits in a row that bring a source that is off back to degraded. */
  offProofs: 4,
} as const;

/** What an audit did to a source's trust. */
export interface TrustChange {
  readonly from: TrustState;
  readonly to: TrustState;
  /** What is indexed of it is known to be wrong: its own snapshot must take its place. */
  readonly mustResync: boolean;
}

/** How far one event source is believed, by its audits. */
export class Trust {
  #state: TrustState = "exact";
  #wrong = 0;
  #clean = 0;

  get state(): TrustState {
    return this.#state;
  }

  /** Part of its blocks that count. */
  get factor(): number {
    return this.#state === "exact" ? 1 : this.#state === "degraded" ? 0.5 : 0;
  }

  /** An audit came out; `isClean`: all blocks that it named were there. */
  audited(isClean: boolean): TrustChange {
    const from = this.#state;
    this.#clean = isClean ? this.#clean + 1 : 0;
    if (!isClean) this.#wrong += 1;
    if (isClean) this.#rise();
    else if (from === "exact") this.#state = "degraded";
    else if (this.#wrong >= trustLimits.mostWrong) this.#state = "off";
    // A source that is off counts for nothing: its snapshots are not worth their price.
    return { from, to: this.#state, mustResync: !isClean && this.#state === "degraded" };
  }

  #rise(): void {
    if (this.#state === "degraded" && this.#clean >= trustLimits.proofs) {
      this.#state = "exact";
      this.#wrong = 0;
    } else if (this.#state === "off" && this.#clean >= trustLimits.offProofs) {
      this.#state = "degraded";
      this.#wrong = trustLimits.mostWrong - 1;
      this.#clean = 0;
    }
  }
}
