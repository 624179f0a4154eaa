import { ChurnMap } from "@pixii/wire";
import type { Booking } from "./booking.ts";
import type { TtftTimes } from "./ttft_times.ts";

/** Time constant of `busyShare`. */
const shareSpanMs = 60_000;

/**
 * The streams of one rank whose prompts are not computed yet, in the order of booking: the first is taken to be under
 * way. Tells how long they take. Pure: time is an argument.
 */
export class PrefillLine {
  readonly #line = new ChurnMap<string, Booking>();
  /** All that came, in order, from `#from` on; those that left out of turn are passed over. */
  #order: (Booking | undefined)[] = [];
  #from = 0;
  /** What was predicted for each when it came, in milliseconds. */
  readonly #ms = new ChurnMap<string, number>();
  #sumMs = 0;
  /** Since when the first is under way; undefined where that is not known. */
  #headSinceMs: number | undefined;
  /** Share of the time for which somebody was in the line, as of `#shareMs`. */
  #busyShare = 0;
  #shareMs = -Infinity;
  /** Streams that joined in the last minute or so, older ones counting less. */
  #recent = 0;
  #times: TtftTimes | undefined;
  #blockSize = 1;

  /** Streams in the line. */
  get size(): number {
    return this.#line.size;
  }

  /** How long this rank takes, and its block size; from here on streams are predicted with it. Undefined = not known. */
  expect(times: TtftTimes | undefined, blockSize: number): void {
    this.#times = times;
    this.#blockSize = blockSize;
  }

  /** A stream joins at the end. */
  add(booking: Booking): void {
    const { prefillTokens, blocks } = booking.claim;
    const cached = Math.max(0, blocks * this.#blockSize - prefillTokens);
    const ms = this.#times?.prefillMs(prefillTokens, cached) ?? 0;
    this.#track(booking.bookedMs);
    if (this.#line.size === 0) this.#headSinceMs = booking.bookedMs;
    this.#line.set(booking.text, booking);
    this.#order.push(booking);
    this.#recent += 1;
    this.#ms.set(booking.text, ms);
    this.#sumMs += ms;
  }

  /** A stream leaves, its prompt computed or given up; the next is under way from then on. Others are ignored. */
  remove(booking: Booking, nowMs: number | undefined): void {
    if (this.#line.has(booking.text)) this.#track(nowMs ?? this.#shareMs);
    if (!this.#line.delete(booking.text)) return;
    const ms = this.#ms.get(booking.text) ?? 0;
    this.#ms.delete(booking.text);
    // Sums of fractions drift; an empty line begins anew.
    this.#sumMs = this.#line.size === 0 ? 0 : this.#sumMs - ms;
    this.#headSinceMs = nowMs;
    // Whether anybody asks or not, those that left are let go.
    this.#head();
  }

  /**
   * Milliseconds until all of the line is computed. `otherTokens` wait there without a booking, `allTokens` with them;
   * where the rank has no times, its tokens pass at `tokensPerSecond`. O(1).
   */
  aheadMs(nowMs: number, { allTokens, otherTokens, tokensPerSecond }: {
    readonly allTokens: number;
    readonly otherTokens: number;
    readonly tokensPerSecond: number;
  }): number {
    const tokenMs = 1000 / tokensPerSecond;
    const times = this.#times;
    const other = otherTokens > 0 ? times?.prefillMs(otherTokens, 0) ?? 0 : 0;
    const wholeMs = times === undefined ? allTokens * tokenMs : this.#sumMs + other;
    const head = this.#head();
    if (head === undefined) return wholeMs;
    const headMs = times === undefined
      ? head.claim.prefillTokens * tokenMs
      : this.#ms.get(head.text) ?? 0;
    const doneMs = Math.min(headMs, nowMs - (this.#headSinceMs ?? nowMs));
    return Math.max(0, wholeMs - Math.max(0, doneMs));
  }

  /** The share of the last minute or so for which somebody was in the line, in [0, 1]. O(1). */
  busyShare(nowMs: number): number {
    this.#track(nowMs);
    return this.#busyShare;
  }

  /** Streams that joined in the last minute or so, older ones counting less. O(1). */
  recent(nowMs: number): number {
    this.#track(nowMs);
    return this.#recent;
  }

  /** The first in the line. O(1) amortized. */
  #head(): Booking | undefined {
    const order = this.#order;
    while (
      this.#from < order.length && this.#line.get(order[this.#from]!.text) !== order[this.#from]
    ) {
      order[this.#from++] = undefined;
    }
    if (this.#from > 64 && 2 * this.#from > order.length) {
      this.#order = order.slice(this.#from);
      this.#from = 0;
    }
    return this.#order[this.#from];
  }

  #track(nowMs: number): void {
    const elapsedMs = nowMs - this.#shareMs;
    if (elapsedMs <= 0) return;
    const kept = Math.exp(-elapsedMs / shareSpanMs);
    this.#busyShare = this.#busyShare * kept + (this.#line.size > 0 ? 1 - kept : 0);
    this.#recent *= kept;
    this.#shareMs = nowMs;
  }
}
