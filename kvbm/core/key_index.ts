import type { SlotTable } from "./slot_table.ts";

/** Places of a fresh index; a power of two. */
const firstPlaces = 2_048;

/**
 * Slot of a block by (layout, RouteHash): open addressing, at most half full, removal by shifting back. A place has the slot
 * and the hash's low word beside it, so that a block that lies there by chance costs no look into the table: in a pool of a
 * million blocks every look is a miss of the caches. O(1).
 */
export class KeyIndex {
  readonly #table: SlotTable;
  /** Per place: slot (0 = none), low word of its hash. */
  #places = new Uint32Array(2 * firstPlaces);
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
    const { hi: his, layout: layouts } = this.#table;
    const places = this.#places;
    const mask = places.length - 1;
    for (let at = home(layout, lo) & mask;; at = (at + 2) & mask) {
      const slot = places[at];
      if (slot === 0) return 0;
      if (places[at + 1] === lo && his[slot] === hi && layouts[slot] === layout) return slot;
    }
  }

  /**
   * As `find`, for rows of route lo, hi: the slot of each in rows[i], 0 where there is none. In one go, so that the
   * processor looks for the next ones while it waits for the memory of one.
   */
  findAll(layout: number, routes: Uint32Array, rows: Uint32Array): void {
    for (let i = 0; i < routes.length; i += 2) {
      rows[i] = this.find(layout, routes[i + 1], routes[i]);
    }
  }

  /** Indexes a slot by its columns; its key must not be there. */
  add(slot: number): void {
    if (4 * ++this.#count > this.#places.length) this.#grow();
    this.#put(slot, this.#table.lo[slot]);
  }

  /** Takes a slot out, which must be there. */
  remove(slot: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let hole = home(this.#table.layout[slot], this.#table.lo[slot]) & mask;
    while (places[hole] !== slot) {
      if (places[hole] === 0) throw new Error(`slot ${slot} is not indexed`);
      hole = (hole + 2) & mask;
    }
    this.#count -= 1;
    for (let at = (hole + 2) & mask; places[at] !== 0; at = (at + 2) & mask) {
      const first = home(this.#table.layout[places[at]], places[at + 1]) & mask;
      // It may move into the hole where that does not lie before its home, going round.
      if (((at - first) & mask) < ((at - hole) & mask)) continue;
      places[hole] = places[at];
      places[hole + 1] = places[at + 1];
      hole = at;
    }
    places[hole] = 0;
  }

  #put(slot: number, lo: number): void {
    const mask = this.#places.length - 1;
    let at = home(this.#table.layout[slot], lo) & mask;
    while (this.#places[at] !== 0) at = (at + 2) & mask;
    this.#places[at] = slot;
    this.#places[at + 1] = lo;
  }

  #grow(): void {
    const old = this.#places;
    this.#places = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 2) if (old[at] !== 0) this.#put(old[at], old[at + 1]);
  }
}

/**
 * Where a key is looked for first, an even number. Mixed, so that neither equal hashes of two layouts nor hashes in a row
 * (whoever made them) pile up.
 */
function home(layout: number, lo: number): number {
  const mixed = Math.imul(lo ^ Math.imul(layout + 1, 0x9e3779b1), 0x85ebca6b);
  return ((mixed ^ (mixed >>> 15)) << 1) >>> 0;
}
