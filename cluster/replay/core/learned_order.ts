import type { DenseRequest } from "./dense_trace.ts";
import type { EvictionOrder, PooledView } from "./pooled_cache.ts";
import { ReuseRates } from "./reuse_rates.ts";

/** Classes: how much of its prompt was known when a block was last used (4), times how often it was used (4). */
const classes = 16;
/** The rates are weighed anew after so much of the trace's time. */
const weighEveryMs = 10_000;

/**
 * Evicts what is worth the least by what it learnt: blocks of prompts that went on from known ones, and blocks that were
 * used before, come back more often than the rest. Within a class the longest unused goes first, of one prompt the
 * deepest. O(classes) an eviction.
 */
export class LearnedOrder implements EvictionOrder {
  readonly #rates: ReuseRates;
  /** Class and number of uses by block. */
  readonly #of: Uint8Array;
  readonly #uses: Uint16Array;
  /** One ring per class, its head behind the blocks' own places. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #isListed: Uint8Array;
  readonly #blocks: number;
  #nowMs = 0;
  #weighedMs = -Infinity;

  constructor({ trace }: PooledView) {
    const { distinct } = trace;
    this.#blocks = distinct;
    this.#rates = new ReuseRates(distinct);
    this.#of = new Uint8Array(distinct);
    this.#uses = new Uint16Array(distinct);
    this.#next = Int32Array.from({ length: distinct + classes }, (_, i) => i);
    this.#previous = this.#next.slice();
    this.#isListed = new Uint8Array(distinct);
  }

  served({ blocks, atMs }: DenseRequest): void {
    this.#nowMs = atMs;
    this.#rates.pass(atMs / 1000);
    if (atMs - this.#weighedMs >= weighEveryMs) {
      this.#rates.weigh();
      this.#weighedMs = atMs;
    }
    let known = 0;
    while (known < blocks.length && this.#uses[blocks[known]] > 0) known += 1;
    const share = blocks.length === 0 ? 0 : known / blocks.length;
    // One known block is a prompt's common begin: it says nothing.
    const goesOn = known <= 1 ? 0 : share > 0.9 ? 3 : share > 0.5 ? 2 : 1;
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i];
      this.#uses[block] = Math.min(0xffff, this.#uses[block] + 1);
      const uses = this.#uses[block];
      const now = 4 * goesOn + (uses === 1 ? 0 : uses === 2 ? 1 : uses < 6 ? 2 : 3);
      this.#rates.used(block, { before: this.#of[block], now, nowS: atMs / 1000 });
      this.#of[block] = now;
      if (this.#isListed[block] === 1) this.#cut(block);
      this.#append(block, now);
    }
  }

  victim(): number {
    let least = Infinity;
    let victim = -1;
    for (let of = 0; of < classes; of++) {
      const block = this.#next[this.#blocks + of];
      if (block >= this.#blocks) continue;
      const worth = this.#rates.worth(block, of, this.#nowMs / 1000);
      if (worth < least) [least, victim] = [worth, block];
    }
    if (victim < 0) throw new Error("no block is left to evict");
    this.#cut(victim);
    return victim;
  }

  #append(block: number, of: number): void {
    const head = this.#blocks + of;
    const last = this.#previous[head];
    this.#next[last] = block;
    this.#previous[block] = last;
    this.#next[block] = head;
    this.#previous[head] = block;
    this.#isListed[block] = 1;
  }

  #cut(block: number): void {
    const [before, after] = [this.#previous[block], this.#next[block]];
    this.#next[before] = after;
    this.#previous[after] = before;
    this.#isListed[block] = 0;
  }
}
