/** What a slot is. `doomed`: damaged, unregistered, waiting for its last reader. */
export const slotStates = { free: 0, reserved: 1, committed: 2, doomed: 3 } as const;

/** Slots of a fresh table. */
const firstSlots = 1_024;

/**
 * All slots as columns of numbers, by slot number from 1: 60 bytes each and nothing for the collector to follow. Numbers
 * of freed slots are used again.
 */
export class SlotTable {
  state = new Uint8Array(firstSlots);
  page = new Uint32Array(firstSlots);
  size = new Uint16Array(firstSlots);
  layout = new Uint16Array(firstSlots);
  /** RouteHash of the block, and of its parent (of index 0: nothing). */
  hi = new Uint32Array(firstSlots);
  lo = new Uint32Array(firstSlots);
  parentHi = new Uint32Array(firstSlots);
  parentLo = new Uint32Array(firstSlots);
  index = new Uint32Array(firstSlots);
  /** Leases that hold it. */
  pins = new Uint32Array(firstSlots);
  /** Client that reserved it. */
  owner = new Uint32Array(firstSlots);
  /** Neighbours in the order of use, 0 at the ends; and when it was used. */
  older = new Uint32Array(firstSlots);
  newer = new Uint32Array(firstSlots);
  usedAt = new Float64Array(firstSlots);
  readonly #free: number[] = [];
  #given = 0;
  #live = 0;

  /** Slots that are not free. */
  get live(): number {
    return this.#live;
  }

  /** Highest slot number ever given. */
  get highest(): number {
    return this.#given;
  }

  /** A free slot's number, now of this state. */
  take(state: number): number {
    const slot = this.#free.pop() ?? ++this.#given;
    if (slot >= this.state.length) this.#grow();
    this.state[slot] = state;
    this.pins[slot] = 0;
    this.owner[slot] = 0;
    this.#live += 1;
    return slot;
  }

  /** Frees a slot. */
  give(slot: number): void {
    this.state[slot] = slotStates.free;
    this.#free.push(slot);
    this.#live -= 1;
  }

  #grow(): void {
    const length = this.state.length * 2;
    this.state = copied(this.state, new Uint8Array(length));
    this.size = copied(this.size, new Uint16Array(length));
    this.layout = copied(this.layout, new Uint16Array(length));
    this.usedAt = copied(this.usedAt, new Float64Array(length));
    for (const column of words) this[column] = copied(this[column], new Uint32Array(length));
  }
}

const words = [
  ...["page", "hi", "lo", "parentHi", "parentLo", "index", "pins", "owner", "older", "newer"],
] as (
  | "page"
  | "hi"
  | "lo"
  | "parentHi"
  | "parentLo"
  | "index"
  | "pins"
  | "owner"
  | "older"
  | "newer"
)[];

function copied<Column extends { set(from: Column): void }>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}
