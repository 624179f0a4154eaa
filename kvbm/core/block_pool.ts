import { endMark, isEndIndex } from "@pixii/wire";
import type { KvEvent } from "@pixii/wire";
import { evictionOrder } from "./eviction_order.ts";
import type { EvictionName, EvictionOrder } from "./eviction_order.ts";
import { KeyIndex } from "./key_index.ts";
import type { PoolClient, PoolLayout } from "./pool_client.ts";
import { noPoolCounts } from "./pool_counts.ts";
import type { PoolCounts } from "./pool_counts.ts";
import { PoolEvents } from "./pool_events.ts";
import { checkPool } from "./pool_integrity.ts";
import { snapshotOf } from "./pool_snapshot.ts";
import { PromptEnds } from "./prompt_ends.ts";
import { Slab } from "./slab.ts";
import { SlotRoom } from "./slot_room.ts";
import { slotStates, SlotTable } from "./slot_table.ts";

const { reserved, committed, doomed } = slotStates;

/** Part of all slots of a size that one worker may have reserved, and the most of them. */
const shareReserved = 1 / 16;
const mostReserved = 64;
/** Pages of a slot as models of a billion parameters have them, where nothing better is known. */
const usualSlotPages = 64;

/**
 * The host tier's books: which slot holds which block, who reads or writes it, what goes first. A slot is reserved, then
 * committed: immutable, found by its key, one per key. What nobody reads waits in the order of use and is evicted when
 * a slot is wanted. A reservation ends by its owner or with it, never by time. Pure; rows are as in `StoreRows`.
 */
export class BlockPool {
  readonly table = new SlotTable();
  readonly slab: Slab;
  readonly keys: KeyIndex;
  readonly order: EvictionOrder;
  readonly layouts: PoolLayout[] = [];
  readonly clients = new Map<number, PoolClient>();
  readonly counts: PoolCounts = noPoolCounts();
  /** The prompts' ends among the blocks. */
  readonly ends: PromptEnds;
  /**
   * Called with a slot whose block is evicted, while the table still has its key; it may look and take notes, no more. The
   * slot is written over soon after: what is wanted of it must have been copied before (`coldest`).
   */
  onEvict: (slot: number) => void = () => {};
  /** Slots that are being copied to a tier below: none of them is evicted meanwhile. A few at a time. */
  readonly copying = new Set<number>();
  readonly #events: PoolEvents[] = [];
  readonly #room: SlotRoom;
  #nextClient = 1;

  /** `slots`: about how many blocks it will hold, for the order's memory; guessed from the pages where left out. */
  constructor(options: {
    readonly segments: number;
    readonly segmentPages: number;
    readonly evict?: EvictionName;
    readonly slots?: number;
  }) {
    const { segments, segmentPages, evict = "worth" } = options;
    this.slab = new Slab(options);
    this.keys = new KeyIndex(this.table);
    const slots = options.slots ?? Math.ceil(segments * segmentPages / usualSlotPages);
    this.order = evictionOrder(evict, { table: this.table, slab: this.slab, slots });
    this.ends = new PromptEnds(segments * segmentPages);
    this.#room = new SlotRoom(this, (slot) => this.#evict(slot));
  }

  /** Index of a layout; `undefined` where its slots do not fit a segment, or differ from what the same layout had. */
  layout(
    { hi, lo, blockSize, slotPages }: Omit<PoolLayout, "size">,
  ): number | undefined {
    const known = this.layouts.findIndex((one) => one.hi === hi && one.lo === lo);
    if (known >= 0) {
      const same = this.layouts[known];
      return same.blockSize === blockSize && same.slotPages === slotPages ? known : undefined;
    }
    const size = this.slab.sizeOf(slotPages);
    if (size === undefined) return undefined;
    this.#events.push(new PoolEvents());
    return this.layouts.push({ hi, lo, blockSize, slotPages, size }) - 1;
  }

  /** Most slots that a worker of this layout may have reserved. */
  mostReserved(layout: number): number {
    const { perSegment } = this.slab.sizes[this.layouts[layout].size];
    const slots = perSegment * this.slab.segments;
    return Math.max(1, Math.min(mostReserved, Math.floor(slots * shareReserved)));
  }

  /** Slots that a client's share still allows it to reserve. */
  reservable(client: number): number {
    const { layout, reserved: slots } = this.#client(client);
    return this.mostReserved(layout) - slots.size;
  }

  /** A worker that holds nothing yet. */
  join(layout: number): number {
    const number = this.#nextClient++;
    this.clients.set(number, { number, layout, reserved: new Set(), leases: new Map() });
    return number;
  }

  /** A worker is gone, or holds nothing any more: its pins and reservations fall. */
  leave(client: number): void {
    const { reserved: slots, leases } = this.#client(client);
    for (const lease of [...leases.keys()]) this.release(client, [lease]);
    for (const slot of slots) this.#free(slot);
    this.clients.delete(client);
  }

  /**
   * Slot and page of each block that is there (0, 0 else); those found are pinned under the lease. `hasEnd`: the last row
   * is the key of the prompt's end. From ends nothing is learnt, and one that is not there is no miss.
   */
  find(
    client: number,
    lease: number,
    routes: Uint32Array,
    { hasEnd = false }: { readonly hasEnd?: boolean } = {},
  ): Uint32Array {
    const { layout, leases } = this.#client(client);
    const { page, pins } = this.table;
    const rows = new Uint32Array(routes.length);
    this.keys.findAll(layout, routes, rows);
    const held = new Uint32Array(routes.length / 2);
    let count = 0;
    for (let i = 0; i < rows.length; i += 2) {
      const slot = rows[i];
      if (slot === 0) continue;
      rows[i + 1] = page[slot];
      held[count++] = slot;
      if (pins[slot]++ === 0) this.order.remove(slot);
    }
    const last = rows.length === 0 ? 0 : rows[rows.length - 2];
    const isEndMissing = hasEnd && last === 0;
    const isEndLast = isEndMissing || this.isEnd(last);
    this.counts.hits += count;
    this.counts.misses += held.length - count - (isEndMissing ? 1 : 0);
    if (isEndLast) {
      this.ends.touch(last);
      this.order.asked(layout, routes.subarray(0, -2), rows.subarray(0, -2));
    } else this.order.asked(layout, routes, rows);
    // A lease of the same number is over: the new one is pinned already, so what both hold stays.
    this.release(client, [lease]);
    if (count > 0) leases.set(lease, count === held.length ? held : held.slice(0, count));
    return rows;
  }

  /** Pins committed slots under a lease, besides what that holds already. O(slots of the lease). */
  hold(client: number, lease: number, slots: readonly number[]): void {
    const { leases } = this.#client(client);
    for (const slot of slots) if (this.table.pins[slot]++ === 0) this.order.remove(slot);
    leases.set(lease, Uint32Array.from([...leases.get(lease) ?? [], ...slots]));
  }

  /** Leases are over; unknown ones are passed over. What nobody else holds becomes the most recently used, heads last. */
  release(client: number, leases: Iterable<number>): void {
    const { leases: live } = this.#client(client);
    for (const lease of leases) {
      const slots = live.get(lease);
      if (slots === undefined) continue;
      live.delete(lease);
      for (let i = slots.length - 1; i >= 0; i--) {
        const slot = slots[i];
        if (--this.table.pins[slot] > 0) continue;
        if (this.table.state[slot] === doomed) this.#free(slot);
        else this.order.add(slot);
      }
    }
  }

  /** Slot and page of up to `count` slots, fewer where the rest of the pool is held or the worker has enough. */
  reserve(client: number, count: number): Uint32Array {
    const { layout, reserved: slots } = this.#client(client);
    const { size } = this.layouts[layout];
    const most = Math.min(count, this.reservable(client));
    const rows: number[] = [];
    for (let i = 0; i < most; i++) {
      const page = this.#room.take(size);
      if (page === undefined) {
        this.counts.refused += most - i;
        break;
      }
      const slot = this.table.take(reserved);
      this.table.page[slot] = page;
      this.table.size[slot] = size;
      this.table.layout[slot] = layout;
      this.table.owner[slot] = client;
      slots.add(slot);
      rows.push(slot, page);
    }
    return new Uint32Array(rows);
  }

  /** Registers written slots; per row the slot that holds the block now (0: not yours to commit) and 1 where it was there. */
  commit(client: number, entries: Uint32Array): Uint32Array {
    const mine = this.#client(client);
    const rows = new Uint32Array(entries.length / 3);
    for (let i = 0, out = 0; i < entries.length; i += 6, out += 2) {
      const [slot, lo, hi] = [entries[i], entries[i + 1], entries[i + 2]];
      if (!mine.reserved.delete(slot)) continue;
      const there = this.keys.find(mine.layout, hi, lo);
      if (there !== 0) {
        this.#free(slot);
        this.counts.duplicates += 1;
        this.#touch(there);
        rows[out] = there;
        rows[out + 1] = 1;
        continue;
      }
      const { table } = this;
      table.state[slot] = committed;
      table.owner[slot] = 0;
      table.hi[slot] = hi;
      table.lo[slot] = lo;
      table.parentLo[slot] = entries[i + 3];
      table.parentHi[slot] = entries[i + 4];
      table.index[slot] = entries[i + 5];
      this.#register(slot);
      this.counts.commits += 1;
      rows[out] = slot;
    }
    return rows;
  }

  /**
   * A written slot for those who wait for its block and nobody else: nobody finds it, no event tells of it, and it is free
   * with the last of their leases; at once where nobody waits. False where it is not the client's.
   */
  commitPrivate(
    client: number,
    slot: number,
    readers: readonly { readonly client: number; readonly lease: number }[],
  ): boolean {
    if (!this.#client(client).reserved.delete(slot)) return false;
    if (readers.length === 0) {
      this.#free(slot);
      return true;
    }
    const { table } = this;
    table.state[slot] = doomed;
    table.owner[slot] = 0;
    table.pins[slot] = readers.length;
    for (const reader of readers) {
      const { leases } = this.#client(reader.client);
      leases.set(reader.lease, Uint32Array.from([...leases.get(reader.lease) ?? [], slot]));
    }
    return true;
  }

  /** Reserved slots that are not needed; others' are passed over. */
  giveUp(client: number, slots: Iterable<number>): void {
    const mine = this.#client(client);
    for (const slot of slots) if (mine.reserved.delete(slot)) this.#free(slot);
  }

  /** Registers a block that lies at a certain page already; false where that is no free place, or the key is there. */
  adopt(
    layout: number,
    block: {
      readonly page: number;
      readonly hi: number;
      readonly lo: number;
      readonly parentHi: number;
      readonly parentLo: number;
      readonly index: number;
    },
  ): boolean {
    const { table } = this;
    const { size } = this.layouts[layout];
    if (this.keys.find(layout, block.hi, block.lo) !== 0) return false;
    if (!this.slab.takeAt(size, block.page)) return false;
    const slot = table.take(committed);
    table.page[slot] = block.page;
    table.size[slot] = size;
    table.layout[slot] = layout;
    table.hi[slot] = block.hi;
    table.lo[slot] = block.lo;
    table.index[slot] = block.index;
    table.parentHi[slot] = block.parentHi;
    table.parentLo[slot] = block.parentLo;
    this.#register(slot);
    return true;
  }

  /** Takes committed blocks out; those that are pinned leave with their last lease. */
  drop(slots: Iterable<number>): void {
    const { table } = this;
    for (const slot of slots) {
      if (table.state[slot] !== committed) continue;
      this.#unregister(slot);
      if (table.pins[slot] > 0) table.state[slot] = doomed;
      else {
        this.order.remove(slot);
        this.#free(slot);
      }
    }
  }

  /** Blocks that a worker has pinned and found damaged: nobody gets them any more. */
  damaged(client: number, slots: Iterable<number>): void {
    const { leases } = this.#client(client);
    for (const slot of slots) {
      const isHeld = [...leases.values()].some((held) => held.includes(slot));
      if (!isHeld || this.table.state[slot] !== committed) continue;
      this.#unregister(slot);
      this.table.state[slot] = doomed;
      this.counts.damaged += 1;
    }
  }

  /**
   * Slots that nobody holds, in the order in which they will probably be evicted, of one layout or of all: what to copy to
   * a tier below ahead of that. `skip` passes over slots (those that are copied), and counts as looked at. Bounded by
   * `limit` slots answered and `look` slots looked at; O(look).
   */
  coldest(
    limit: number,
    options: {
      readonly layout?: number;
      readonly look?: number;
      readonly skip?: (slot: number) => boolean;
    } = {},
  ): number[] {
    const { layout, look = 4 * limit, skip } = options;
    const slots: number[] = [];
    let looked = 0;
    for (const slot of this.order.coldest()) {
      if (slots.length >= limit || looked++ >= look) break;
      if (layout !== undefined && this.table.layout[slot] !== layout) continue;
      if (skip?.(slot) !== true) slots.push(slot);
    }
    return slots;
  }

  /** True where a slot holds a prompt's end. */
  isEnd(slot: number): boolean {
    return isEndIndex(this.table.index[slot]);
  }

  /** Number of the slot that holds a slot's parent; 0 where none does. */
  parentOf(slot: number): number {
    const { table } = this;
    if ((table.index[slot] & ~endMark) === 0) return 0;
    return this.keys.find(table.layout[slot], table.parentHi[slot], table.parentLo[slot]);
  }

  /** Changes of a layout's blocks since the last call. A block's number is its slot. */
  takeEvents(layout: number): KvEvent[] {
    return this.#events[layout].isEmpty ? [] : this.#events[layout].take();
  }

  /** All blocks of a layout, parents first. O(slots). */
  snapshot(layout: number): KvEvent[] {
    return snapshotOf(this, layout);
  }

  /** Throws where the books do not add up. O(everything). */
  checkIntegrity(): void {
    checkPool(this);
  }

  #client(number: number): PoolClient {
    const client = this.clients.get(number);
    if (client === undefined) throw new Error(`client ${number} is not in the pool`);
    return client;
  }

  #evict(slot: number): void {
    this.onEvict(slot);
    this.order.remove(slot);
    this.#unregister(slot);
    this.#free(slot);
    this.counts.evictions += 1;
  }

  /** A block is there from now on: its columns are set. */
  #register(slot: number): void {
    const { layout, hi, lo } = this.table;
    const parent = this.parentOf(slot);
    const isEnd = this.isEnd(slot);
    this.keys.add(slot);
    this.order.came(slot, parent, isEnd);
    this.order.add(slot);
    if (!isEnd) {
      this.#events[layout[slot]].stored({ number: slot, parent, hi: hi[slot], lo: lo[slot] });
      return;
    }
    const { slotPages } = this.layouts[layout[slot]];
    const isFree = (other: number) => this.table.pins[other] === 0 && !this.copying.has(other);
    for (const old of this.ends.add(slot, slotPages, isFree)) this.#evict(old);
  }

  #unregister(slot: number): void {
    this.order.left(slot);
    this.keys.remove(slot);
    if (this.isEnd(slot)) this.ends.remove(slot);
    else this.#events[this.table.layout[slot]].removed(slot);
  }

  #free(slot: number): void {
    this.slab.give(this.table.page[slot]);
    this.table.give(slot);
  }

  #touch(slot: number): void {
    if (this.table.pins[slot] > 0) return;
    this.order.remove(slot);
    this.order.add(slot);
  }
}
