/** Ratio between the edges of a histogram's buckets. */
const bucketRatio = 1.02;
const leastMs = 0.01;
const buckets = 1_400;

/** Durations counted in buckets 2 % apart: percentiles without keeping a number each. */
export class DurationHistogram {
  readonly #counts = new Float64Array(buckets);
  #count = 0;
  #sumMs = 0;

  /** Durations counted. */
  get count(): number {
    return this.#count;
  }

  /** Counts a duration `times` times. O(1). */
  add(ms: number, times: number): void {
    const at = ms <= leastMs ? 0 : Math.log(ms / leastMs) / Math.log(bucketRatio);
    this.#counts[Math.min(buckets - 1, Math.ceil(at))] += times;
    this.#count += times;
    this.#sumMs += ms * times;
  }

  /** The mean; 0 of none. */
  get meanMs(): number {
    return this.#count === 0 ? 0 : this.#sumMs / this.#count;
  }

  /** The upper edge of the bucket that holds quantile `q` in [0, 1]; 0 of none. */
  quantileMs(q: number): number {
    let left = q * this.#count;
    for (let at = 0; at < buckets; at++) {
      left -= this.#counts[at];
      if (this.#counts[at] > 0 && left <= 0) return leastMs * bucketRatio ** at;
    }
    return 0;
  }
}

/** Mean and percentiles of durations. */
export interface DurationSummary {
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
}

/** Mean and percentiles (nearest rank) of a list; zeros of none. O(n log n). */
export function summaryOf(durations: Float64Array): DurationSummary {
  const sorted = durations.slice().sort();
  const at = (q: number) =>
    sorted.length === 0 ? 0 : sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
  const sum = sorted.reduce((total, ms) => total + ms, 0);
  return {
    meanMs: sorted.length === 0 ? 0 : sum / sorted.length,
    ...{ p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99) },
  };
}

/** The largest share of a list against the mean share: 1 = even, its length = all in one; 1 of none. */
export function skewOf(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  return sum === 0 ? 1 : Math.max(...shares) * shares.length / sum;
}
