/** A size is known to be too small where it was needed again so soon after it was left. */
const soonMs = 20 * 60_000;
/** It is not gone below again for so long, twice as long every time that the same proves true, up to this. */
const [firstSpanMs, mostSpanMs] = [4 * 3_600_000, 8 * 3_600_000] as const;
/** A load that is smaller by this share is another load. */
const margin = 0.05;
/** Steps that the load is the mean of, the latest ones counting most. */
const steps = 12;

/** Of a job: what it has, needs, and is asked for at one time. */
export interface JobStep {
  readonly nowMs: number;
  /** Workers. */
  readonly have: number;
  readonly need: number;
  /** What is asked, in any unit, the same at all times. */
  readonly load: number;
}

interface Bar {
  readonly tooFew: number;
  readonly load: number;
  readonly untilMs: number;
  readonly spanMs: number;
}

/**
 * Sizes of one job that were left and soon needed again. Formulas and forecasts are never so exact that a load which stands
 * still would not lie between two sizes for a learner that tries how few are enough; what was tried and failed is not tried
 * again while the load is the same. O(1) per step; time comes with each call.
 */
export class LeftSizes {
  #have: number | undefined;
  #load: number | undefined;
  #left: { readonly count: number; readonly atMs: number } | undefined;
  #bar: Bar | undefined;

  /** Takes a step; answers the fewest workers that were not found too few for this load: 0 where nothing was found. */
  take({ nowMs, have, need, load }: JobStep): number {
    this.#load = this.#load === undefined ? load : this.#load + (load - this.#load) / steps;
    if (this.#have !== undefined && have < this.#have) {
      this.#left = { count: this.#have, atMs: nowMs };
    }
    this.#have = have;
    if (this.#left !== undefined && need > have && this.#left.count > have) {
      if (nowMs - this.#left.atMs < soonMs) this.#bar = this.#raised(have, nowMs, this.#load);
      this.#left = undefined;
    }
    const bar = this.#bar;
    if (bar === undefined || nowMs >= bar.untilMs) return 0;
    return this.#load > (1 - margin) * bar.load ? bar.tooFew + 1 : 0;
  }

  /** Until when the size that was found too small is not tried again, by the clock of `take`; absent before any was found. */
  get untilMs(): number | undefined {
    return this.#bar?.untilMs;
  }

  #raised(tooFew: number, nowMs: number, load: number): Bar {
    const last = this.#bar;
    const isAgain = last !== undefined && nowMs < last.untilMs + last.spanMs &&
      last.tooFew <= tooFew;
    const spanMs = isAgain ? Math.min(mostSpanMs, 2 * last.spanMs) : firstSpanMs;
    return { tooFew, load, untilMs: nowMs + spanMs, spanMs };
  }
}
