import type { MergeTable } from "./merge_table.ts";
import { RankQueue } from "./rank_queue.ts";

/** Link of a place inside a symbol. */
const gone = -1;

/**
 * Merges a word of any length in O(n log n), and in O(n) where it repeats itself. Works in place on the word's symbols
 * and in about 12 bytes a byte more.
 */
export class LongWord {
  readonly #merges: MergeTable;
  readonly #symbols: Uint32Array;
  /**
   * Where the symbols are. One that fills places `s` to `e` has its symbol at `s`, `e` in `#links[s]` and `s` in
   * `#links[e - 1]`; one of a single place has `s` there.
   */
  readonly #links: Int32Array;
  readonly #queue = new RankQueue();
  /** The pair that was looked up last, and its slot: long words repeat themselves. */
  #lastLeft = -1;
  #lastRight = -1;
  #lastSlot = -1;
  /** Table look-ups and queue entries so far. */
  work = 0;

  /** `symbols` are those of the word's bytes and are overwritten. */
  constructor(merges: MergeTable, symbols: Uint32Array) {
    this.#merges = merges;
    this.#symbols = symbols;
    this.#links = Int32Array.from(symbols, (_, i) => i);
  }

  /** Merges what can be merged, leaves the symbols that remain at the start of `symbols`; gives how many. */
  merge(): number {
    const symbols = this.#symbols;
    const queue = this.#queue;
    for (let at = 0; at + 1 < symbols.length; at++) this.#offer(at);
    for (let rank = queue.rank; rank !== undefined; rank = queue.rank) {
      const at = queue.pop();
      this.work += 1;
      const slot = this.#slotAt(at);
      // The place was merged away, or has grown since: then its pair is of another rank, for good.
      if (slot < 0 || this.#merges.rankAt(slot) !== rank) continue;
      symbols[at] = this.#merges.mergedAt(slot);
      this.#join(at);
      this.#offer(at);
      if (at > 0) this.#offer(this.#links[at - 1]);
    }
    let count = 0;
    for (let at = 0; at < symbols.length; at = this.#next(at)) symbols[count++] = symbols[at];
    return count;
  }

  #next(at: number): number {
    const link = this.#links[at];
    return link === at ? at + 1 : link;
  }

  /** Slot of the merge of the symbol at `at` with the next one; -1 for none, also where no symbol starts. */
  #slotAt(at: number): number {
    if (this.#isGone(at)) return -1;
    const next = this.#next(at);
    this.work += 1;
    if (next >= this.#symbols.length) return -1;
    const left = this.#symbols[at];
    const right = this.#symbols[next];
    if (left !== this.#lastLeft || right !== this.#lastRight) {
      this.#lastLeft = left;
      this.#lastRight = right;
      this.#lastSlot = this.#merges.find(left, right);
    }
    return this.#lastSlot;
  }

  #isGone(at: number): boolean {
    return this.#links[at] === gone || this.#links[at] < at;
  }

  #offer(at: number): void {
    const slot = this.#slotAt(at);
    if (slot >= 0) this.#queue.push(this.#merges.rankAt(slot), at);
  }

  /** Lets the symbol at `at` take in the next one. */
  #join(at: number): void {
    const links = this.#links;
    const middle = this.#next(at);
    const end = this.#next(middle);
    // What lies inside now is neither start nor end.
    links[middle - 1] = gone;
    links[middle] = gone;
    links[at] = end;
    links[end - 1] = at;
  }
}
