import type { SlotTable } from "./slot_table.ts";

/** Places of a fresh index; a power of two. */
const firstPlaces = 2_048;

/**
 * Slot of a block by (layout, RouteHash): open addressing over the table's own columns, at most half full, removal by
 * shifting back. O(1).
 */
export class KeyIndex {
  readonly #table: SlotTable;
  #places = new Uint32Array(firstPlaces);
  #count = 0;

  constructor(table: SlotTable) {
    this.#table = table;
  }

  /** Blocks indexed. */
  get count(): number {
    return this.#count;
  }

  /** The slot of a block; 0 where there is none. */
  find(layout: number, hi: number, lo: number): number {
    const { hi: his, lo: los, layout: layouts } = this.#table;
    const places = this.#places;
    const mask = places.length - 1;
    for (let at = place(layout, lo) & mask;; at = (at + 1) & mask) {
      const slot = places[at];
      if (slot === 0) return 0;
      if (los[slot] === lo && his[slot] === hi && layouts[slot] === layout) return slot;
    }
  }

  /** Indexes a slot by its columns; its key must not be there. */
  add(slot: number): void {
    if (2 * ++this.#count > this.#places.length) this.#grow();
    this.#put(slot);
  }

  /** Takes a slot out, which must be there. */
  remove(slot: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let hole = this.#home(slot) & mask;
    while (places[hole] !== slot) {
      if (places[hole] === 0) throw new Error(`slot ${slot} is not indexed`);
      hole = (hole + 1) & mask;
    }
    this.#count -= 1;
    for (let at = (hole + 1) & mask; places[at] !== 0; at = (at + 1) & mask) {
      const home = this.#home(places[at]) & mask;
      // It may move into the hole where that does not lie before its home, going round.
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      places[hole] = places[at];
      hole = at;
    }
    places[hole] = 0;
  }

  #home(slot: number): number {
    return place(this.#table.layout[slot], this.#table.lo[slot]);
  }

  #put(slot: number): void {
    const mask = this.#places.length - 1;
    let at = this.#home(slot) & mask;
    while (this.#places[at] !== 0) at = (at + 1) & mask;
    this.#places[at] = slot;
  }

  #grow(): void {
    const old = this.#places;
    this.#places = new Uint32Array(old.length * 2);
    for (const slot of old) if (slot !== 0) this.#put(slot);
  }
}

/** Mixed, so that neither equal hashes of two layouts nor hashes in a row (whoever made them) pile up. */
function place(layout: number, lo: number): number {
  const mixed = Math.imul(lo ^ Math.imul(layout + 1, 0x9e3779b1), 0x85ebca6b);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
