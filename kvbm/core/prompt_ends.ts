import { ChurnMap } from "@pixii/wire";

/** Most of a pool that prompts' ends may take. */
const mostShare = 1 / 8;

/**
 * The prompts' ends in a pool, within a budget of their own: every prompt has one, and one is as long as a block, so that
 * short prompts would crowd out the blocks that others share. The least recently used goes first. O(1), but where said.
 */
export class PromptEnds {
  readonly #mostPages: number;
  /** Pages by slot, the least recently used first. */
  readonly #slots = new ChurnMap<number, number>();
  #pages = 0;

  constructor(poolPages: number) {
    this.#mostPages = Math.floor(poolPages * mostShare);
  }

  /** Pages that ends take. */
  get pages(): number {
    return this.#pages;
  }

  /** Ends that are there. */
  get count(): number {
    return this.#slots.size;
  }

  /**
   * An end has come. Answers the slots that must go for it, of those that may (`isFree`); never its own. They are removed by
   * whoever takes them out of the pool. O(ends that are held).
   */
  add(slot: number, pages: number, isFree: (slot: number) => boolean): readonly number[] {
    const going: number[] = [];
    let over = this.#pages + pages - this.#mostPages;
    for (const [old, length] of this.#slots) {
      if (over <= 0) break;
      if (!isFree(old)) continue;
      going.push(old);
      over -= length;
    }
    this.#slots.set(slot, pages);
    this.#pages += pages;
    return going;
  }

  /** An end is used; one that is not there is passed over. */
  touch(slot: number): void {
    const pages = this.#slots.get(slot);
    if (pages === undefined) return;
    this.#slots.delete(slot);
    this.#slots.set(slot, pages);
  }

  /** An end has left. */
  remove(slot: number): void {
    this.#pages -= this.#slots.get(slot) ?? 0;
    this.#slots.delete(slot);
  }

  /** Throws where the books differ from the ends that are there, with their pages. O(ends). */
  checkIntegrity(ends: ReadonlyMap<number, number>): void {
    let pages = 0;
    for (const [slot, length] of ends) {
      if (this.#slots.get(slot) !== length) throw new Error(`slot ${slot} is an end, not counted`);
      pages += length;
    }
    if (ends.size !== this.#slots.size || pages !== this.#pages) {
      throw new Error(`${this.#slots.size} ends counted, ${ends.size} there`);
    }
  }
}
