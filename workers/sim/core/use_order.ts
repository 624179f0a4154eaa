/** Rows in order of use, the oldest first: a doubly linked list in two typed arrays. Every operation O(1). */
export class UseOrder {
  /** Row + 1 of the neighbours; row 0 of the arrays is the ring's anchor. */
  readonly #next: Uint32Array;
  readonly #previous: Uint32Array;
  #size = 0;

  constructor(rows: number) {
    this.#next = new Uint32Array(rows + 1);
    this.#previous = new Uint32Array(rows + 1);
  }

  /** Rows in the order. */
  get size(): number {
    return this.#size;
  }

  /** The row unused for longest. */
  get oldest(): number | undefined {
    const first = this.#next[0];
    return first === 0 ? undefined : first - 1;
  }

  /** Adds a row that is not in the order, as the newest. */
  add(row: number): void {
    const last = this.#previous[0];
    this.#next[last] = row + 1;
    this.#previous[row + 1] = last;
    this.#next[row + 1] = 0;
    this.#previous[0] = row + 1;
    this.#size += 1;
  }

  /** Takes a row that is in the order out. */
  remove(row: number): void {
    const before = this.#previous[row + 1];
    const after = this.#next[row + 1];
    this.#next[before] = after;
    this.#previous[after] = before;
    this.#size -= 1;
  }

  /** All rows, the oldest first. */
  *[Symbol.iterator](): Iterator<number> {
    for (let at = this.#next[0]; at !== 0; at = this.#next[at]) yield at - 1;
  }
}
