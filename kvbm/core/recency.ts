import type { EvictionOrder } from "./eviction_order.ts";
import { SegmentUse } from "./segment_use.ts";
import type { Slab } from "./slab.ts";
import type { SlotTable } from "./slot_table.ts";

/**
 * Blocks that nobody holds, in the order of their use, one list per slot size: least recently used goes first. A chain is
 * listed tail first at one use, so its head outlives its tail. Knows too how much of each segment could go and when it
 * was last used, for giving whole segments to another size. O(1).
 */
export class Recency implements EvictionOrder {
  readonly #table: SlotTable;
  /** Ends of the lists by size, 0 where empty. */
  readonly #oldest: number[] = [];
  readonly #newest: number[] = [];
  readonly #segments: SegmentUse;
  #now = 0;
  #count = 0;

  constructor(table: SlotTable, slab: Slab) {
    this.#table = table;
    this.#segments = new SegmentUse(slab);
  }

  /** Blocks listed. */
  get count(): number {
    return this.#count;
  }

  asked(): void {}

  came(): void {}

  left(): void {}

  /** The slot of this size that was used least recently; 0 where none is listed. */
  first(size: number): number {
    return this.#oldest[size] ?? 0;
  }

  /** Lists a slot as just used. */
  add(slot: number): void {
    const table = this.#table;
    const size = table.size[slot];
    const last = this.#newest[size] ?? 0;
    table.older[slot] = last;
    table.newer[slot] = 0;
    if (last === 0) this.#oldest[size] = slot;
    else table.newer[last] = slot;
    this.#newest[size] = slot;
    table.usedAt[slot] = ++this.#now;
    this.#segments.add(table.page[slot], this.#now);
    this.#count += 1;
  }

  /** Takes a listed slot out. */
  remove(slot: number): void {
    const { older, newer, size, page } = this.#table;
    if (older[slot] === 0) this.#oldest[size[slot]] = newer[slot];
    else newer[older[slot]] = newer[slot];
    if (newer[slot] === 0) this.#newest[size[slot]] = older[slot];
    else older[newer[slot]] = older[slot];
    this.#segments.remove(page[slot]);
    this.#count -= 1;
  }

  /**
   * A segment of another size whose blocks could all go and were all used before this size's oldest block; where this
   * size has none that could go, the one used longest ago. O(segments).
   */
  spareSegment(size: number): number | undefined {
    const own = this.first(size);
    return this.#segments.spare(size, own === 0 ? Infinity : this.#table.usedAt[own]);
  }

  /** The listed slots of a size, oldest first. */
  *listed(size: number): Iterable<number> {
    for (let slot = this.first(size); slot !== 0; slot = this.#table.newer[slot]) yield slot;
  }

  /** The listed slots of all sizes, oldest first. O(sizes) a step. */
  *coldest(): Iterable<number> {
    const { newer, usedAt } = this.#table;
    const next = [...this.#oldest];
    for (;;) {
      let best = -1;
      next.forEach((slot, size) => {
        if (!slot) return;
        if (best < 0 || usedAt[slot] < usedAt[next[best]]) best = size;
      });
      if (best < 0) return;
      yield next[best];
      next[best] = newer[next[best]];
    }
  }

  /** Throws where lists and counts differ; `isListed` says which slots belong here. O(everything). */
  checkIntegrity(isListed: (slot: number) => boolean): void {
    const pages: number[] = [];
    this.#oldest.forEach((_, size) => {
      let before = 0;
      for (const slot of this.listed(size)) {
        if (!isListed(slot) || this.#table.size[slot] !== size) {
          throw new Error(`slot ${slot} is listed as unused`);
        }
        if (this.#table.older[slot] !== before) throw new Error(`the list breaks at ${slot}`);
        if (before !== 0 && this.#table.usedAt[before] >= this.#table.usedAt[slot]) {
          throw new Error(`slot ${slot} is out of order`);
        }
        before = slot;
        pages.push(this.#table.page[slot]);
      }
    });
    if (pages.length !== this.#count) throw new Error(`${pages.length} slots are listed`);
    this.#segments.checkIntegrity(pages);
  }
}
