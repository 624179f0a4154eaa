import type { SlotTable } from "./slot_table.ts";

/** Slots of a fresh tree. */
const firstSlots = 1_024;

/** Which block in a pool follows which: the prompts' common beginnings as a forest over slot numbers. O(1) but where said. */
export class BlockTree {
  #parent = new Uint32Array(firstSlots);
  #firstChild = new Uint32Array(firstSlots);
  /** Neighbours among a parent's children, 0 at the ends. */
  #next = new Uint32Array(firstSlots);
  #previous = new Uint32Array(firstSlots);

  /** A child of a slot, 0 where it has none. */
  childOf(slot: number): number {
    return this.#firstChild[slot];
  }

  /** The next of a slot's siblings, 0 at the end. */
  nextOf(slot: number): number {
    return this.#next[slot];
  }

  /** A block has come; `parent` is 0 where that is not there. */
  add(slot: number, parent: number): void {
    while (slot >= this.#parent.length) this.#grow();
    this.#firstChild[slot] = 0;
    this.#link(slot, parent);
  }

  /** A block has left. Its children are nobody's then. O(children). */
  remove(slot: number): void {
    const [parent, next, previous] = [this.#parent[slot], this.#next[slot], this.#previous[slot]];
    if (previous !== 0) this.#next[previous] = next;
    else if (parent !== 0) this.#firstChild[parent] = next;
    if (next !== 0) this.#previous[next] = previous;
    for (let child = this.#firstChild[slot]; child !== 0;) {
      const following = this.#next[child];
      this.#parent[child] = this.#next[child] = this.#previous[child] = 0;
      child = following;
    }
    this.#parent[slot] =
      this.#firstChild[slot] =
      this.#next[slot] =
      this.#previous[slot] =
        0;
  }

  /** Throws where a child's parent is not its own, by the table's keys. O(slots). */
  checkIntegrity(table: SlotTable, isThere: (slot: number) => boolean): void {
    for (let slot = 1; slot < this.#parent.length && slot <= table.highest; slot++) {
      const parent = this.#parent[slot];
      if (!isThere(slot)) {
        if (parent !== 0 || this.#firstChild[slot] !== 0) throw new Error(`slot ${slot} is left`);
        continue;
      }
      for (let child = this.#firstChild[slot]; child !== 0; child = this.#next[child]) {
        if (this.#parent[child] !== slot) throw new Error(`${child} is not a child of ${slot}`);
        const isChild = table.parentLo[child] === table.lo[slot] &&
          table.parentHi[child] === table.hi[slot] && table.layout[child] === table.layout[slot];
        if (!isChild) throw new Error(`${child} does not follow ${slot}`);
      }
    }
  }

  #link(slot: number, parent: number): void {
    this.#parent[slot] = parent;
    this.#previous[slot] = 0;
    this.#next[slot] = parent === 0 ? 0 : this.#firstChild[parent];
    if (parent === 0) return;
    if (this.#next[slot] !== 0) this.#previous[this.#next[slot]] = slot;
    this.#firstChild[parent] = slot;
  }

  #grow(): void {
    const grown = (from: Uint32Array) => {
      const to = new Uint32Array(from.length * 2);
      to.set(from);
      return to;
    };
    this.#parent = grown(this.#parent);
    this.#firstChild = grown(this.#firstChild);
    this.#next = grown(this.#next);
    this.#previous = grown(this.#previous);
  }
}
