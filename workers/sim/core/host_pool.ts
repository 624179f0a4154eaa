import { HashIndex } from "./hash_index.ts";
import { UseOrder } from "./use_order.ts";

/** What the device's blocks need of a tier below: the model of one, or who stands for a kvbm. */
export interface HostBlocks {
  /** True where the block is held; that counts as a use. */
  touch(hi: number, lo: number): boolean;
  /** Keeps a block that leaves the device, where there is room. */
  keep(hi: number, lo: number): void;
  /** Throws where the books do not add up. */
  checkIntegrity(): void;
}

/**
 * The modelled host tier: hashes of the blocks that were moved out of the device, least recently used first out. It
 * holds no data and tells nobody: the tier's owner in a real house is a kvbm; here it only changes times and counts.
 */
export class HostPool implements HostBlocks {
  readonly #capacity: number;
  readonly #hi: Uint32Array;
  readonly #lo: Uint32Array;
  readonly #index: HashIndex;
  readonly #order: UseOrder;
  #fresh = 0;

  /** `blocks` may be 0: then nothing is kept. */
  constructor(blocks: number) {
    this.#capacity = blocks;
    this.#hi = new Uint32Array(blocks);
    this.#lo = new Uint32Array(blocks);
    this.#index = new HashIndex(blocks, { hi: this.#hi, lo: this.#lo });
    this.#order = new UseOrder(blocks);
  }

  /** Blocks held. */
  get size(): number {
    return this.#order.size;
  }

  /** True where the block is held; that counts as a use. */
  touch(hi: number, lo: number): boolean {
    const row = this.#index.find(hi, lo);
    if (row === undefined) return false;
    this.#order.remove(row);
    this.#order.add(row);
    return true;
  }

  /** True where the block is held. */
  has(hi: number, lo: number): boolean {
    return this.#index.find(hi, lo) !== undefined;
  }

  /** Keeps a block that leaves the device. */
  keep(hi: number, lo: number): void {
    if (this.#capacity === 0 || this.touch(hi, lo)) return;
    const row = this.#freeRow();
    this.#hi[row] = hi;
    this.#lo[row] = lo;
    this.#index.add(row);
    this.#order.add(row);
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    if (this.#index.size !== this.#order.size || this.#order.size > this.#capacity) {
      throw new Error(
        `${this.#index.size} host blocks indexed, ${this.#order.size} ordered, room for ${this.#capacity}`,
      );
    }
    for (const row of this.#order) {
      if (this.#index.find(this.#hi[row], this.#lo[row]) !== row) {
        throw new Error(`host row ${row} is not where its hash says`);
      }
    }
  }

  #freeRow(): number {
    if (this.#fresh < this.#capacity) return this.#fresh++;
    const row = this.#order.oldest!;
    this.#order.remove(row);
    this.#index.remove(row);
    return row;
  }
}
