import type { ModelDemand } from "@pixii/wire";

/** What frontends asked of one model over the window. Rates per second. */
export interface Demand {
  readonly requestRate: number;
  readonly completionRate: number;
  /** Prompt tokens that had to be computed, per second. */
  readonly prefillTokenRate: number;
  /** Mean milliseconds from placing to first token of the streams that had theirs in the window; absent without any. */
  readonly ttftMs: number | undefined;
}

/** What one report told of the model. */
export type DemandCounts = Omit<ModelDemand, "model" | "served" | "waiting">;

/** Reports tell of about this long before they come, in ms. */
const reportSpanMs = 1_000;

interface Bucket extends Record<keyof DemandCounts, number> {
  second: number;
}

/** Demand over the last seconds in buckets of one second. Pure: time comes with each call and never runs backwards. */
export class DemandWindow {
  readonly #buckets: Bucket[];
  #startMs: number | undefined;

  /** `seconds`: length of the window with the current second, at least 2. */
  constructor(seconds: number) {
    this.#buckets = Array.from({ length: seconds }, () => emptyBucket(-1));
  }

  /** Adds what a report told. O(1). */
  add(counts: DemandCounts, nowMs: number): void {
    this.#startMs ??= nowMs - reportSpanMs;
    addTo(this.#bucketAt(nowMs), counts);
  }

  /**
   * Rates over the window's whole seconds, or over those since the first report's where they are fewer. The current second is
   * left out: its report may be yet to come, and a short window would lack a large part of what was asked, or all.
   */
  demand(nowMs: number): Demand {
    return this.#sums(nowMs - 1000, Math.max(1, this.#buckets.length - 1));
  }

  #sums(nowMs: number, length: number): Demand {
    const newest = Math.floor(nowMs / 1000);
    const sum = emptyBucket(newest);
    for (const bucket of this.#buckets) {
      if (bucket.second > newest - length && bucket.second <= newest) addTo(sum, bucket);
    }
    const aliveSeconds = (nowMs - (this.#startMs ?? nowMs)) / 1000;
    const seconds = Math.max(1, Math.min(length, aliveSeconds));
    return {
      requestRate: sum.booked / seconds,
      completionRate: sum.completed / seconds,
      prefillTokenRate: sum.prefillTokens / seconds,
      ttftMs: sum.firstTokens === 0 ? undefined : sum.ttftSumMs / sum.firstTokens,
    };
  }

  #bucketAt(nowMs: number): Bucket {
    const second = Math.floor(nowMs / 1000);
    const at = second % this.#buckets.length;
    if (this.#buckets[at].second !== second) this.#buckets[at] = emptyBucket(second);
    return this.#buckets[at];
  }
}

function addTo(bucket: Bucket, counts: DemandCounts): void {
  bucket.booked += counts.booked;
  bucket.completed += counts.completed;
  bucket.prefillTokens += counts.prefillTokens;
  bucket.firstTokens += counts.firstTokens;
  bucket.ttftSumMs += counts.ttftSumMs;
}

function emptyBucket(second: number): Bucket {
  return { second, booked: 0, completed: 0, prefillTokens: 0, firstTokens: 0, ttftSumMs: 0 };
}
