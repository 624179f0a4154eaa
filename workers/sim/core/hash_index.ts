/** Where a 64-bit hash is kept: two columns that the index reads and its owner writes. */
export interface HashColumns {
  readonly hi: Uint32Array;
  readonly lo: Uint32Array;
}

/**
 * Finds the row of a hash: open addressing with linear probing over rows of the owner's columns, 4 bytes a slot at a
 * load of at most a half. A removal closes its gap, so there are no tombstones. All operations O(1) expected.
 */
export class HashIndex {
  readonly #columns: HashColumns;
  /** Row + 1; 0 = empty. */
  readonly #slots: Uint32Array;
  readonly #mask: number;
  #size = 0;

  /** `rows` is the most rows held at a time. */
  constructor(rows: number, columns: HashColumns) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(2, 2 * rows)));
    this.#slots = new Uint32Array(slots);
    this.#mask = slots - 1;
    this.#columns = columns;
  }

  /** Rows held. */
  get size(): number {
    return this.#size;
  }

  /** The row with this hash. */
  find(hi: number, lo: number): number | undefined {
    const { hi: his, lo: los } = this.#columns;
    for (let at = lo & this.#mask;; at = (at + 1) & this.#mask) {
      const slot = this.#slots[at];
      if (slot === 0) return undefined;
      if (los[slot - 1] === lo && his[slot - 1] === hi) return slot - 1;
    }
  }

  /** Takes a row in whose hash stands in the columns and is not held yet. */
  add(row: number): void {
    let at = this.#columns.lo[row] & this.#mask;
    while (this.#slots[at] !== 0) at = (at + 1) & this.#mask;
    this.#slots[at] = row + 1;
    this.#size += 1;
  }

  /** Takes a held row out; its hash must still stand in the columns. */
  remove(row: number): void {
    const slots = this.#slots;
    const mask = this.#mask;
    let gap = this.#columns.lo[row] & mask;
    while (slots[gap] !== row + 1) {
      if (slots[gap] === 0) throw new Error(`row ${row} is not in the index`);
      gap = (gap + 1) & mask;
    }
    // Whoever may stand nearer to home moves into the gap.
    for (let at = (gap + 1) & mask; slots[at] !== 0; at = (at + 1) & mask) {
      const home = this.#columns.lo[slots[at] - 1] & mask;
      if (((at - home) & mask) < ((at - gap) & mask)) continue;
      slots[gap] = slots[at];
      gap = at;
    }
    slots[gap] = 0;
    this.#size -= 1;
  }
}
