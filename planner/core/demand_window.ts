import { ChurnMap, streamKeyText } from "@pixii/wire";
import type { LedgerEntry } from "@pixii/wire";

/** Most streams whose first token is waited for; above that the oldest are forgotten and only counted. */
const mostOpen = 65_536;

/** What frontends asked of one model over the window, from the ledger. Rates per second. */
export interface Demand {
  readonly requestRate: number;
  readonly completionRate: number;
  /** Prompt tokens that had to be computed, per second. */
  readonly prefillTokenRate: number;
  /** Mean milliseconds from booking to first token of the streams that had theirs in the window; absent without any. */
  readonly ttftMs: number | undefined;
}

interface Bucket {
  second: number;
  booked: number;
  completed: number;
  prefillTokens: number;
  firstTokens: number;
  ttftSumMs: number;
}

/** Requests over the last seconds in buckets of one second. Pure: time comes with each call and never runs backwards. */
export class DemandWindow {
  readonly #buckets: Bucket[];
  readonly #open = new ChurnMap<string, { readonly bookedMs: number; hasToken: boolean }>();
  #startMs: number | undefined;

  /** `seconds`: length of the window, at least 1. */
  constructor(seconds: number) {
    this.#buckets = Array.from({ length: seconds }, () => emptyBucket(-1));
  }

  /** Applies one ledger entry; a booking told twice counts once. O(1). */
  apply(entry: LedgerEntry, nowMs: number): void {
    this.#startMs ??= nowMs;
    const key = streamKeyText(entry);
    const bucket = this.#bucketAt(nowMs);
    const open = this.#open.get(key);
    if (entry.op === "book") {
      if (open !== undefined) return;
      if (this.#open.size === mostOpen) this.#open.deleteFirst();
      this.#open.set(key, { bookedMs: nowMs, hasToken: false });
      bucket.booked += 1;
      bucket.prefillTokens += entry.prefillTokens;
    } else if (entry.op === "first-token") {
      if (open === undefined || open.hasToken) return;
      open.hasToken = true;
      bucket.firstTokens += 1;
      bucket.ttftSumMs += nowMs - open.bookedMs;
    } else if (open !== undefined) {
      this.#open.delete(key);
      bucket.completed += 1;
    }
  }

  /** Streams booked and not yet complete. */
  get open(): number {
    return this.#open.size;
  }

  /** Sums over the window, or over the time since the first entry where that is shorter. */
  demand(nowMs: number): Demand {
    const newest = Math.floor(nowMs / 1000);
    const sum = emptyBucket(newest);
    for (const bucket of this.#buckets) {
      if (bucket.second <= newest - this.#buckets.length || bucket.second > newest) continue;
      sum.booked += bucket.booked;
      sum.completed += bucket.completed;
      sum.prefillTokens += bucket.prefillTokens;
      sum.firstTokens += bucket.firstTokens;
      sum.ttftSumMs += bucket.ttftSumMs;
    }
    const aliveSeconds = (nowMs - (this.#startMs ?? nowMs)) / 1000;
    const seconds = Math.max(1, Math.min(this.#buckets.length, aliveSeconds));
    return {
      requestRate: sum.booked / seconds,
      completionRate: sum.completed / seconds,
      prefillTokenRate: sum.prefillTokens / seconds,
      ttftMs: sum.firstTokens === 0 ? undefined : sum.ttftSumMs / sum.firstTokens,
    };
  }

  /** Throws where the window broke its own rules; for tests. */
  checkIntegrity(): void {
    if (this.#open.size > mostOpen) throw new Error(`More than ${mostOpen} open streams`);
    for (const bucket of this.#buckets) {
      if (bucket.completed < 0 || bucket.ttftSumMs < 0) throw new Error("A count is negative");
    }
  }

  #bucketAt(nowMs: number): Bucket {
    const second = Math.floor(nowMs / 1000);
    const at = second % this.#buckets.length;
    if (this.#buckets[at].second !== second) this.#buckets[at] = emptyBucket(second);
    return this.#buckets[at];
  }
}

function emptyBucket(second: number): Bucket {
  return { second, booked: 0, completed: 0, prefillTokens: 0, firstTokens: 0, ttftSumMs: 0 };
}
