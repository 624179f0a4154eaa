import assert from "node:assert/strict";
import { endMark } from "@pixii/wire";
import type { KvEvent } from "@pixii/wire";
import { BlockPool } from "./block_pool.ts";
import type { EvictionName } from "./eviction_order.ts";
import { committedSlots } from "./committed_slots.ts";
import { slotStates } from "./slot_table.ts";

/** Chance as the trial draws it: an integer below `n`. */
export type Draw = (n: number) => number;

interface Worker {
  readonly client: number;
  readonly layout: number;
  /** Page and slot of what it may write. */
  readonly reserved: { slot: number; page: number }[];
  readonly leases: Map<number, { key: string; slot: number; page: number }[]>;
}

/** Key of a block that only those read who waited for it. */
const privatePrefix = "private ";

/** Chains from here on are ends of prompts. */
const endsFrom = 100;

const tokensOf = (chain: number, index: number) => ({ hi: chain, lo: index * 7919 + chain });

/**
 * Workers of three layouts, two sizes of slots, over a small pool, each step one random operation; some die with pins and
 * reservations. The oracle is the memory itself: what a page holds is what its one writer wrote last, and no reader of a
 * pinned block may ever see it change.
 */
export class PoolTrial {
  readonly pool: BlockPool;
  readonly #draw: Draw;
  readonly #memory = new Map<number, string>();
  readonly #workers: Worker[] = [];
  readonly #replays = new Map<number, Map<number, string>>();
  readonly #layouts: number[] = [];
  /** Pages of blocks that are being copied to a tier below, by slot, with what they hold. */
  readonly #copying = new Map<number, { page: number; key: string }>();
  #lease = 1;
  deaths = 0;

  constructor(
    draw: Draw,
    options: { segments: number; segmentPages: number; evict?: EvictionName } = {
      segments: 8,
      segmentPages: 24,
    },
  ) {
    this.pool = new BlockPool(options);
    this.#draw = draw;
    for (const [lo, slotPages] of [[1, 2], [2, 5], [3, 2]]) {
      const layout = this.pool.layout({ hi: 0, lo, blockSize: 64, slotPages })!;
      this.#layouts.push(layout);
      this.#replays.set(layout, new Map());
    }
  }

  /** One operation. */
  step(): void {
    if (this.#workers.length === 0 || (this.#workers.length < 6 && this.#draw(50) === 0)) {
      return this.#join();
    }
    const worker = this.#workers[this.#draw(this.#workers.length)];
    const roll = this.#draw(1000);
    if (roll < 350) this.#find(worker);
    else if (roll < 600) this.#release(worker);
    else if (roll < 750) this.#reserve(worker);
    else if (roll < 930) this.#commit(worker);
    else if (roll < 950) this.#giveUp(worker);
    else if (roll < 960) this.#damaged(worker);
    else if (roll < 970) this.#scribble(worker);
    else if (roll < 975) this.#copy();
    else if (roll < 985) this.#commitPrivate(worker);
    else if (roll < 990) this.#drop();
    else if (roll < 993) this.#die(worker);
    else this.#stale(worker);
  }

  /** Compares everything. */
  check(): void {
    this.pool.checkIntegrity();
    const { table } = this.pool;
    for (const layout of this.#layouts) {
      const replay = this.#replays.get(layout)!;
      apply(replay, this.pool.takeEvents(layout));
      const snapshot = new Map<number, string>();
      apply(snapshot, this.pool.snapshot(layout), true);
      assert.deepEqual(sorted(snapshot), sorted(replay));
      for (const [slot, key] of replay) {
        assert.equal(table.state[slot], slotStates.committed);
        assert.ok(!this.pool.isEnd(slot), "an event tells of a prompt's end");
        assert.equal(key, `${table.hi[slot]},${table.lo[slot]}`);
        assert.equal(this.#memory.get(table.page[slot]), `${layout}:${key}`);
      }
    }
  }

  /**
   * Everybody dies: what stays pinned or reserved has leaked. Then every block is dropped: what stays at all has leaked.
   * Answers how many slots that are.
   */
  end(): number {
    while (this.#workers.length > 0) this.#die(this.#workers[0]);
    this.check();
    const { table, order, slab, keys } = this.pool;
    const held = table.live - order.count;
    this.pool.drop(committedSlots(this.pool));
    this.check();
    const isEmpty = slab.emptySegments === slab.segments && slab.usedPages === 0;
    assert.equal(isEmpty, table.live + order.count + keys.count === 0);
    return held + table.live;
  }

  #join(): void {
    const layout = this.#layouts[this.#draw(this.#layouts.length)];
    const client = this.pool.join(layout);
    this.#workers.push({ client, layout, reserved: [], leases: new Map() });
  }

  #keyOf(layout: number, { hi, lo }: { hi: number; lo: number }): string {
    return `${layout}:${hi},${lo}`;
  }

  #find(worker: Worker): void {
    const chain = this.#draw(12);
    const from = this.#draw(3);
    const blocks = Array.from({ length: 1 + this.#draw(6) }, (_, i) => tokensOf(chain, from + i));
    const hasEnd = this.#draw(3) === 0;
    if (hasEnd) blocks.push(tokensOf(endsFrom + chain, from + blocks.length));
    const lease = this.#draw(10) === 0 && worker.leases.size > 0
      ? [...worker.leases.keys()][0]
      : this.#lease++;
    const old = worker.leases.get(lease);
    if (old !== undefined) this.#mustBeUnchanged(old);
    const words = Uint32Array.from(blocks.flatMap(({ hi, lo }) => [lo, hi]));
    const rows = this.pool.find(worker.client, lease, words, { hasEnd });
    const held: { key: string; slot: number; page: number }[] = [];
    blocks.forEach((block, i) => {
      const [slot, page] = [rows[2 * i], rows[2 * i + 1]];
      const key = this.#keyOf(worker.layout, block);
      if (slot === 0) return;
      assert.equal(this.#memory.get(page), key, "a block of another key is found");
      held.push({ key, slot, page });
    });
    if (held.length > 0) worker.leases.set(lease, held);
    else worker.leases.delete(lease);
  }

  #mustBeUnchanged(held: readonly { key: string; page: number }[]): void {
    for (const { key, page } of held) {
      assert.equal(this.#memory.get(page), key, "a pinned block was written over");
    }
  }

  #release(worker: Worker): void {
    const [lease] = worker.leases.keys();
    if (lease === undefined) return;
    this.#mustBeUnchanged(worker.leases.get(lease)!);
    worker.leases.delete(lease);
    this.pool.release(worker.client, [lease]);
    if (this.#draw(5) === 0) this.pool.release(worker.client, [lease, 0]);
  }

  #reserve(worker: Worker): void {
    const rows = this.pool.reserve(worker.client, 1 + this.#draw(4));
    for (let i = 0; i < rows.length; i += 2) {
      worker.reserved.push({ slot: rows[i], page: rows[i + 1] });
      this.#memory.set(rows[i + 1], "being written");
    }
  }

  #commit(worker: Worker): void {
    const count = Math.min(worker.reserved.length, 1 + this.#draw(3));
    // Ends have keys of their own, that nothing goes on from.
    const isEnd = this.#draw(8) === 0;
    const chain = this.#draw(12);
    const from = this.#draw(6);
    const entries: number[] = [];
    const slots = worker.reserved.splice(0, count);
    slots.forEach(({ slot, page }, i) => {
      const { hi, lo } = tokensOf(isEnd ? endsFrom + chain : chain, from + i);
      const parent = from + i === 0 ? { hi: 0, lo: 0 } : tokensOf(chain, from + i - 1);
      this.#memory.set(page, this.#keyOf(worker.layout, { hi, lo }));
      entries.push(slot, lo, hi, parent.lo, parent.hi, from + i + (isEnd ? endMark : 0));
    });
    const rows = this.pool.commit(worker.client, Uint32Array.from(entries));
    slots.forEach(({ slot, page }, i) => {
      assert.ok(rows[2 * i] !== 0, "an own slot is refused");
      if (rows[2 * i + 1] === 0) assert.equal(rows[2 * i], slot);
      else if (rows[2 * i] !== slot) this.#memory.delete(page);
    });
  }

  /** A block for some who wait for it, or for nobody; `find` never answers with its key. */
  #commitPrivate(worker: Worker): void {
    const one = worker.reserved.pop();
    if (one === undefined) return;
    const { slot, page } = one;
    const readers = this.#workers.filter(() => this.#draw(3) === 0);
    const key = `${privatePrefix}${++this.#lease}`;
    this.#memory.set(page, key);
    const leases = readers.map(({ client, leases }) => {
      const [some = this.#lease++] = leases.keys();
      return { client, lease: some };
    });
    assert.ok(this.pool.commitPrivate(worker.client, slot, leases), "an own slot is refused");
    readers.forEach((reader, i) => {
      const { lease } = leases[i];
      reader.leases.set(lease, [...reader.leases.get(lease) ?? [], { key, slot, page }]);
    });
    if (readers.length === 0) this.#memory.delete(page);
  }

  /** Blocks are copied to a tier below; what was being copied before is whole to its end, read by nobody or not. */
  #copy(): void {
    const { table, copying } = this.pool;
    for (const [slot, held] of this.#copying) {
      this.#mustBeUnchanged([held]);
      copying.delete(slot);
    }
    this.#copying.clear();
    const slots = Array.from({ length: 8 }, () => this.#draw(table.highest + 1));
    for (const slot of slots) {
      if (slot === 0 || table.state[slot] !== slotStates.committed) continue;
      const page = table.page[slot];
      this.#copying.set(slot, { page, key: this.#memory.get(page)! });
      copying.add(slot);
    }
  }

  /** An operator drops blocks: nobody finds them any more, and who reads one still may. */
  #drop(): void {
    const { table } = this.pool;
    const slots = Array.from({ length: 3 }, () => this.#draw(table.highest + 1));
    const there = slots.filter((slot) => slot > 0 && table.state[slot] === slotStates.committed);
    this.pool.drop(there);
    for (const slot of there) {
      this.#copying.delete(slot);
      const isFound = this.pool.keys.find(table.layout[slot], table.hi[slot], table.lo[slot]);
      assert.notEqual(isFound, slot, "a dropped block is found");
    }
  }

  #giveUp(worker: Worker): void {
    const one = worker.reserved.pop();
    if (one === undefined) return;
    this.#memory.delete(one.page);
    this.pool.giveUp(worker.client, [one.slot]);
  }

  #damaged(worker: Worker): void {
    const [held] = worker.leases.values();
    if (held === undefined) return;
    const { slot, key } = held[this.#draw(held.length)];
    if (key.startsWith(privatePrefix)) return;
    this.pool.damaged(worker.client, [slot]);
    this.#copying.delete(slot);
    const [lo, hi] = key.split(":")[1].split(",").map(Number).reverse();
    const again = this.pool.find(worker.client, 0xffffffff, Uint32Array.from([lo, hi]));
    assert.ok(again[0] !== slot, "a damaged block is found");
    this.pool.release(worker.client, [0xffffffff]);
  }

  /** A worker writes into its reserved slots whenever it likes. */
  #scribble(worker: Worker): void {
    for (const { page } of worker.reserved) this.#memory.set(page, "being written");
  }

  /** Slots of others and of nobody change nothing. */
  #stale(worker: Worker): void {
    const slot = 1 + this.#draw(this.pool.table.highest + 2);
    if (worker.reserved.some((one) => one.slot === slot)) return;
    const rows = this.pool.commit(worker.client, Uint32Array.from([slot, 1, 1, 0, 0, 0]));
    assert.deepEqual([...rows], [0, 0]);
    this.pool.giveUp(worker.client, [slot]);
  }

  #die(worker: Worker): void {
    for (const held of worker.leases.values()) this.#mustBeUnchanged(held);
    this.#workers.splice(this.#workers.indexOf(worker), 1);
    this.pool.leave(worker.client);
    this.deaths += 1;
  }
}

/** Applies events as a router does, with the protocol's rules checked. */
function apply(blocks: Map<number, string>, events: readonly KvEvent[], parentsFirst = false) {
  for (const event of events) {
    assert.ok(event.op !== "cleared");
    if (event.op === "removed") {
      for (const number of event.numbers) assert.ok(blocks.delete(number), "removed, not there");
      continue;
    }
    if (parentsFirst) assert.ok(event.parent === 0 || blocks.has(event.parent), "no parent");
    event.numbers.forEach((number, i) => {
      assert.ok(number > 0 && !blocks.has(number), "stored twice");
      blocks.set(number, `${event.hi[i]},${event.lo[i]}`);
    });
  }
}

function sorted(blocks: ReadonlyMap<number, string>): [number, string][] {
  return [...blocks].sort(([a], [b]) => a - b);
}
