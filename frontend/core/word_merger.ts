import type { MergeTable } from "./merge_table.ts";

/** Up to this many bytes a word is merged by looking for the best pair again and again; longer ones use a heap. */
const mostScannedBytes = 48;
/** Longest word in bytes: its positions fit a heap entry. */
const mostWordBytes = 2 ** 26;

/**
 * Merges the bytes of one word to symbols: always the pair of the lowest rank, of equal ones the leftmost. Short words
 * O(n²) without allocation, long ones O(n log n) in about 36 bytes of working memory a byte.
 */
export class WordMerger {
  readonly #merges: MergeTable;
  readonly #symbols = new Int32Array(mostScannedBytes);
  readonly #slots = new Int32Array(mostScannedBytes);
  /** Heap entries and table look-ups so far: how much work was done. */
  work = 0;

  constructor(merges: MergeTable) {
    this.#merges = merges;
  }

  /** Symbols of the word in `bytes` from `from` to `to`, written to `into` from `at` on; gives how many. */
  merge(
    bytes: Uint8Array,
    word: { readonly from: number; readonly to: number },
    into: { readonly symbols: Uint32Array; readonly at: number },
  ): number {
    const length = word.to - word.from;
    if (length > mostWordBytes) {
      throw new RangeError(`A word must be at most ${mostWordBytes} bytes, got ${length}`);
    }
    return length <= mostScannedBytes
      ? this.#mergeShort(bytes, word, into)
      : this.#mergeLong(bytes, word, into);
  }

  #mergeShort(
    bytes: Uint8Array,
    { from, to }: { readonly from: number; readonly to: number },
    into: { readonly symbols: Uint32Array; readonly at: number },
  ): number {
    const merges = this.#merges;
    const symbols = this.#symbols;
    const slots = this.#slots;
    let count = to - from;
    for (let i = 0; i < count; i++) symbols[i] = merges.symbolOfByte(bytes[from + i]);
    for (let i = 1; i < count; i++) slots[i - 1] = merges.find(symbols[i - 1], symbols[i]);
    this.work += count;
    while (count > 1) {
      let best = -1;
      let bestRank = Infinity;
      for (let i = 0; i + 1 < count; i++) {
        if (slots[i] < 0) continue;
        const rank = merges.rankAt(slots[i]);
        if (rank < bestRank) {
          bestRank = rank;
          best = i;
        }
      }
      if (best < 0) break;
      symbols[best] = merges.mergedAt(slots[best]);
      count -= 1;
      for (let i = best + 1; i < count; i++) {
        symbols[i] = symbols[i + 1];
        slots[i - 1] = slots[i];
      }
      if (best > 0) slots[best - 1] = merges.find(symbols[best - 1], symbols[best]);
      if (best + 1 < count) slots[best] = merges.find(symbols[best], symbols[best + 1]);
      this.work += 2;
    }
    for (let i = 0; i < count; i++) into.symbols[into.at + i] = symbols[i];
    return count;
  }

  #mergeLong(
    bytes: Uint8Array,
    { from, to }: { readonly from: number; readonly to: number },
    into: { readonly symbols: Uint32Array; readonly at: number },
  ): number {
    const chain = new Chain(this.#merges, bytes.subarray(from, to));
    chain.mergeAll();
    this.work += chain.work;
    return chain.write(into.symbols, into.at);
  }
}

/** The symbols of a long word as a linked list, and a heap of the pairs that may be merged. */
class Chain {
  readonly #merges: MergeTable;
  readonly #symbols: Int32Array;
  /** Position of the next symbol, the length at the last. */
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Slot of the merge of the symbol at a position with its next, -1 for none. */
  readonly #slots: Int32Array;
  readonly #heap = new PairHeap();
  work = 0;

  constructor(merges: MergeTable, bytes: Uint8Array) {
    this.#merges = merges;
    const length = bytes.length;
    this.#symbols = Int32Array.from(bytes, (byte) => merges.symbolOfByte(byte));
    this.#next = new Int32Array(length);
    this.#previous = new Int32Array(length);
    this.#slots = new Int32Array(length);
    for (let i = 0; i < length; i++) {
      this.#next[i] = i + 1;
      this.#previous[i] = i - 1;
    }
    for (let i = 0; i < length; i++) this.#look(i);
  }

  mergeAll(): void {
    const merges = this.#merges;
    const slots = this.#slots;
    const next = this.#next;
    while (!this.#heap.isEmpty) {
      const entry = this.#heap.pop();
      this.work += 1;
      const rank = Math.floor(entry / mostWordBytes);
      const at = entry - rank * mostWordBytes;
      // A symbol only ever grows, so a pair that is not of this rank any more never will be again.
      if (slots[at] < 0 || merges.rankAt(slots[at]) !== rank) continue;
      this.#symbols[at] = merges.mergedAt(slots[at]);
      const gone = next[at];
      slots[gone] = -1;
      next[at] = next[gone];
      if (next[at] < next.length) this.#previous[next[at]] = at;
      this.#look(at);
      if (this.#previous[at] >= 0) this.#look(this.#previous[at]);
    }
  }

  /** Writes the symbols that are left; gives how many. */
  write(into: Uint32Array, at: number): number {
    let count = 0;
    for (let i = 0; i < this.#next.length; i = this.#next[i]) into[at + count++] = this.#symbols[i];
    return count;
  }

  #look(at: number): void {
    const next = this.#next[at];
    this.work += 1;
    const slot = next < this.#next.length
      ? this.#merges.find(this.#symbols[at], this.#symbols[next])
      : -1;
    this.#slots[at] = slot;
    if (slot >= 0) this.#heap.push(this.#merges.rankAt(slot) * mostWordBytes + at);
  }
}

/** A binary heap of numbers, smallest first. */
class PairHeap {
  #entries = new Float64Array(256);
  #count = 0;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  push(entry: number): void {
    if (this.#count === this.#entries.length) {
      const larger = new Float64Array(2 * this.#count);
      larger.set(this.#entries);
      this.#entries = larger;
    }
    const entries = this.#entries;
    let at = this.#count++;
    while (at > 0) {
      const parent = at - 1 >>> 1;
      if (entries[parent] <= entry) break;
      entries[at] = entries[parent];
      at = parent;
    }
    entries[at] = entry;
  }

  pop(): number {
    const entries = this.#entries;
    const top = entries[0];
    const last = entries[--this.#count];
    const count = this.#count;
    let at = 0;
    while (2 * at + 1 < count) {
      let child = 2 * at + 1;
      if (child + 1 < count && entries[child + 1] < entries[child]) child += 1;
      if (entries[child] >= last) break;
      entries[at] = entries[child];
      at = child;
    }
    entries[at] = last;
    return top;
  }
}
