import { streamLimits } from "./stream_limits.ts";

/** When a stream's snapshot is fetched next: one at a time, later after each that was not enough. Pure: time is an argument. */
export class SnapshotPace {
  #failures = 0;
  #nextTryMs = -Infinity;
  #isFetching = false;

  /** Fetches in a row that were not enough. */
  get failures(): number {
    return this.#failures;
  }

  /** True where nothing is being fetched and the wait is over. */
  isDue(nowMs: number): boolean {
    return !this.#isFetching && nowMs >= this.#nextTryMs;
  }

  /** A fetch begins; it ends with `ended`. */
  began(): void {
    this.#isFetching = true;
  }

  /** No fetch is under way. */
  ended(): void {
    this.#isFetching = false;
  }

  /** A fetch was not enough: the next waits, twice as long each time. */
  later(nowMs: number): void {
    const { backoffMs, longestBackoffMs } = streamLimits;
    this.#nextTryMs = nowMs + Math.min(longestBackoffMs, backoffMs * 2 ** this.#failures);
    this.#failures += 1;
  }

  /** The next fetch is at this time. */
  waitUntil(atMs: number): void {
    this.#nextTryMs = atMs;
  }

  /** The next fetch is not before this time. */
  waitAtLeastUntil(atMs: number): void {
    this.#nextTryMs = Math.max(this.#nextTryMs, atMs);
  }

  /** All is well: the next failure is the first. */
  good(): void {
    this.#failures = 0;
  }
}
