import { spread } from "./seeded.ts";

/** An engine's cache of blocks, least recently used first out, and the numbers it gives its blocks. */
export class LruBlocks {
  readonly #capacity: number;
  readonly #mask: number;
  /** Open addressing: place + 1 by key. */
  readonly #table: Int32Array;
  readonly #keys: Int32Array;
  readonly #numbers: Uint32Array;
  /** By place; place 0 is the ring's end. */
  readonly #newer: Int32Array;
  readonly #older: Int32Array;
  #size = 0;
  #next = 1;

  constructor(capacity: number) {
    this.#capacity = capacity;
    let cells = 16;
    while (cells < 2 * capacity) cells *= 2;
    this.#mask = cells - 1;
    this.#table = new Int32Array(cells);
    this.#keys = new Int32Array(capacity + 1);
    this.#numbers = new Uint32Array(capacity + 1);
    this.#newer = new Int32Array(capacity + 1);
    this.#older = new Int32Array(capacity + 1);
  }

  /** Blocks held. */
  get size(): number {
    return this.#size;
  }

  /** The number of a block, 0 where it is not held. */
  find(key: number): number {
    const cell = this.#cell(key);
    return this.#table[cell] === 0 ? 0 : this.#numbers[this.#table[cell]];
  }

  /** Makes a held block the newest. */
  touch(key: number): void {
    const place = this.#table[this.#cell(key)];
    this.#unlink(place);
    this.#link(place);
  }

  /** Numbers for `count` new blocks, the first of them. */
  number(count: number): number {
    this.#next += count;
    return this.#next - count;
  }

  /** Holds a block that is not held; returns the number of the one that left for it, 0 for none. */
  add(key: number, number: number): number {
    let place = this.#size + 1;
    let gone = 0;
    if (this.#size === this.#capacity) {
      place = this.#newer[0];
      gone = this.#numbers[place];
      this.#unlink(place);
      this.#forget(this.#keys[place]);
    } else this.#size += 1;
    this.#keys[place] = key;
    this.#numbers[place] = number;
    this.#table[this.#cell(key)] = place;
    this.#link(place);
    return gone;
  }

  #cell(key: number): number {
    let cell = spread(key) & this.#mask;
    while (this.#table[cell] !== 0 && this.#keys[this.#table[cell]] !== key) {
      cell = (cell + 1) & this.#mask;
    }
    return cell;
  }

  #forget(key: number): void {
    let hole = this.#cell(key);
    for (let at = (hole + 1) & this.#mask; this.#table[at] !== 0; at = (at + 1) & this.#mask) {
      const home = spread(this.#keys[this.#table[at]]) & this.#mask;
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      this.#table[hole] = this.#table[at];
      hole = at;
    }
    this.#table[hole] = 0;
  }

  /** `#newer[0]` is the oldest, `#older[0]` the newest. */
  #link(place: number): void {
    const newest = this.#older[0];
    this.#newer[newest] = place;
    this.#older[place] = newest;
    this.#newer[place] = 0;
    this.#older[0] = place;
  }

  #unlink(place: number): void {
    const [newer, older] = [this.#newer[place], this.#older[place]];
    this.#newer[older] = newer;
    this.#older[newer] = older;
  }
}
