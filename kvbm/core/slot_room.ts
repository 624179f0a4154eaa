import type { EvictionOrder } from "./eviction_order.ts";
import type { Slab } from "./slab.ts";
import type { SlotTable } from "./slot_table.ts";

/** Slots looked for in own blocks before another size's segments are looked at again. */
const spareEvery = 64;

/** The books that room is made in. */
export interface RoomBooks {
  readonly table: SlotTable;
  readonly slab: Slab;
  readonly order: EvictionOrder;
  /** Slots that must stay for now. */
  readonly copying: ReadonlySet<number>;
}

/** Finds places for slots, for which blocks may have to go: one of the same size, or a whole segment of another size. */
export class SlotRoom {
  readonly #books: RoomBooks;
  readonly #evict: (slot: number) => void;
  #sinceSpare = 0;

  /** `evict` takes a block out that nobody holds. */
  constructor(books: RoomBooks, evict: (slot: number) => void) {
    this.#books = books;
    this.#evict = evict;
  }

  /** The page of a place; `undefined` where all is held. */
  take(size: number): number | undefined {
    const { slab, order } = this.#books;
    const free = slab.take(size);
    if (free !== undefined) return free.page;
    const first = this.#victim(size);
    if (slab.sizes.length > 1 && (first === 0 || ++this.#sinceSpare >= spareEvery)) {
      this.#sinceSpare = 0;
      const spare = order.spareSegment(size);
      if (spare !== undefined && this.#evictSegment(spare)) return slab.take(size)?.page;
    }
    if (first === 0) return undefined;
    this.#evict(first);
    return slab.take(size)?.page;
  }

  /** The slot of a size that goes next; 0 where all are held or being copied. O(slots being copied). */
  #victim(size: number): number {
    const { order, copying } = this.#books;
    const first = order.first(size);
    if (!copying.has(first)) return first;
    for (const slot of order.listed(size)) if (!copying.has(slot)) return slot;
    return 0;
  }

  /** Empties a segment; false where one of its blocks is being copied. */
  #evictSegment(segment: number): boolean {
    const { slab, order, table, copying } = this.#books;
    const { size } = slab.segment(segment)!;
    const inside = [...order.listed(size)].filter((slot) =>
      slab.segmentAt(table.page[slot]) === segment
    );
    if (inside.some((slot) => copying.has(slot))) return false;
    for (const slot of inside) this.#evict(slot);
    return true;
  }
}
