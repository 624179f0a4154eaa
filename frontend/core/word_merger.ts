import { LongWord } from "./long_word.ts";
import type { MergeTable } from "./merge_table.ts";

/** Up to this many bytes a word is merged by looking for the best pair again and again, longer ones as a `LongWord`. */
const mostScannedBytes = 128;

/** Rank of a pair that is not merged: over any. */
const noRank = 0x7fffffff;

/**
 * Merges the bytes of a word to symbols: always the pair of the lowest rank, of equal ones the leftmost. Short words
 * O(n²) without allocation, long ones O(n log n).
 */
export class WordMerger {
  readonly #merges: MergeTable;
  /** Of each symbol with the next: slot and rank of their merge. */
  readonly #slots = new Int32Array(mostScannedBytes);
  readonly #ranks = new Int32Array(mostScannedBytes);
  /** Table look-ups and queue entries so far: how much work was done. */
  work = 0;

  constructor(merges: MergeTable) {
    this.#merges = merges;
  }

  /** Merges in place: `symbols` are those of the word's bytes; those that remain end up first. Gives how many. */
  merge(symbols: Uint32Array): number {
    if (symbols.length <= mostScannedBytes) return this.#mergeShort(symbols);
    const word = new LongWord(this.#merges, symbols);
    const count = word.merge();
    this.work += word.work;
    return count;
  }

  #mergeShort(symbols: Uint32Array): number {
    const merges = this.#merges;
    const slots = this.#slots;
    const ranks = this.#ranks;
    let count = symbols.length;
    for (let i = 0; i + 1 < count; i++) this.#look(symbols, i);
    while (count > 1) {
      let best = 0;
      let bestRank = noRank;
      for (let i = 0; i + 1 < count; i++) {
        if (ranks[i] < bestRank) {
          bestRank = ranks[i];
          best = i;
        }
      }
      if (bestRank === noRank) break;
      symbols[best] = merges.mergedAt(slots[best]);
      count -= 1;
      for (let i = best + 1; i < count; i++) {
        symbols[i] = symbols[i + 1];
        slots[i - 1] = slots[i];
        ranks[i - 1] = ranks[i];
      }
      if (best > 0) this.#look(symbols, best - 1);
      if (best + 1 < count) this.#look(symbols, best);
    }
    return count;
  }

  /** Looks up the pair at `at` and the symbol behind it. */
  #look(symbols: Uint32Array, at: number): void {
    const slot = this.#merges.find(symbols[at], symbols[at + 1]);
    this.#slots[at] = slot;
    this.#ranks[at] = slot < 0 ? noRank : this.#merges.rankAt(slot);
    this.work += 1;
  }
}
