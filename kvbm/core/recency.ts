import type { Slab } from "./slab.ts";
import type { SlotTable } from "./slot_table.ts";

/**
 * Blocks that nobody holds, in the order of their use, one list per slot size: least recently used goes first. A chain is
 * listed tail first at one use, so its head outlives its tail. Knows too how much of each segment could go and when it
 * was last used, for giving whole segments to another size. O(1).
 */
export class Recency {
  readonly #table: SlotTable;
  readonly #slab: Slab;
  /** Ends of the lists by size, 0 where empty. */
  readonly #oldest: number[] = [];
  readonly #newest: number[] = [];
  /** Per segment: slots listed, and when one was last listed. */
  readonly #listed: Uint32Array;
  readonly #usedAt: Float64Array;
  #now = 0;
  #count = 0;

  constructor(table: SlotTable, slab: Slab) {
    this.#table = table;
    this.#slab = slab;
    this.#listed = new Uint32Array(slab.segments);
    this.#usedAt = new Float64Array(slab.segments);
  }

  /** Blocks listed. */
  get count(): number {
    return this.#count;
  }

  /** The slot of this size that was used least recently; 0 where none is listed. */
  oldest(size: number): number {
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
    const segment = this.#slab.segmentAt(table.page[slot]);
    this.#listed[segment] += 1;
    this.#usedAt[segment] = this.#now;
    this.#count += 1;
  }

  /** Takes a listed slot out. */
  remove(slot: number): void {
    const { older, newer, size, page } = this.#table;
    if (older[slot] === 0) this.#oldest[size[slot]] = newer[slot];
    else newer[older[slot]] = newer[slot];
    if (newer[slot] === 0) this.#newest[size[slot]] = older[slot];
    else older[newer[slot]] = older[slot];
    this.#listed[this.#slab.segmentAt(page[slot])] -= 1;
    this.#count -= 1;
  }

  /**
   * A segment of another size whose blocks could all go and were all used before this size's oldest block; where this
   * size has none that could go, the one used longest ago. O(segments).
   */
  spareSegment(size: number): number | undefined {
    const own = this.oldest(size);
    let bestUse = own === 0 ? Infinity : this.#table.usedAt[own];
    let best: number | undefined;
    for (let at = 0; at < this.#slab.segments; at++) {
      const segment = this.#slab.segment(at);
      if (segment === undefined || segment.size === size) continue;
      if (this.#listed[at] !== segment.used || this.#usedAt[at] >= bestUse) continue;
      best = at;
      bestUse = this.#usedAt[at];
    }
    return best;
  }

  /** The listed slots of a size, oldest first. */
  *listed(size: number): Iterable<number> {
    for (let slot = this.oldest(size); slot !== 0; slot = this.#table.newer[slot]) yield slot;
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
    let seen = 0;
    const perSegment = new Uint32Array(this.#listed.length);
    this.#slab.sizes.forEach((_, size) => {
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
        seen += 1;
        perSegment[this.#slab.segmentAt(this.#table.page[slot])] += 1;
      }
    });
    if (seen !== this.#count) throw new Error(`${seen} slots listed, ${this.#count} counted`);
    if (perSegment.some((count, at) => count !== this.#listed[at])) {
      throw new Error("a segment's unused slots are counted wrong");
    }
  }
}
