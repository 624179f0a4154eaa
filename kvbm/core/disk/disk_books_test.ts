import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { DiskBooks } from "./disk_books.ts";
import type { BlockToStore, DiskPlace } from "./disk_books.ts";
import { encodeIndexHead, encodeRecords, recordBytes } from "./index_record.ts";
import type { IndexRecord } from "./index_record.ts";
import { replayIndex } from "./index_replay.ts";

const segmentPages = 12;
const segments = 4;
const kinds = [{ lo: 1, slotPages: 1 }, { lo: 2, slotPages: 5 }, { lo: 3, slotPages: 2 }];

/** A disk in memory: what each page holds, and the index as bytes. Death may come at any step. */
class Machine {
  books: DiskBooks;
  /** What a page's block is; "torn" where a write was cut short. */
  readonly pages = new Map<number, string>();
  index: Uint8Array<ArrayBuffer> = encodeIndexHead(segmentPages, crc32);
  /** Bytes of the index before the last append: death may cut in what came after. */
  safeBytes = recordBytes;
  deaths = 0;

  constructor() {
    this.books = new DiskBooks({ segments, segmentPages });
  }

  append(records: readonly IndexRecord[]): void {
    const more = encodeRecords(records, crc32);
    const bytes = new Uint8Array(this.index.length + more.length);
    bytes.set(this.index);
    bytes.set(more, this.index.length);
    this.safeBytes = this.index.length;
    this.index = bytes;
  }

  layout(kind: number): number {
    const { lo, slotPages } = kinds[kind];
    return this.books.layout({ hi: 9, lo, blockSize: 64, slotPages })!;
  }

  /** Writes blocks as the tier does; `dieAt`: 0 after the first records, 1 in the write, 2 before, 3 in the last append. */
  write(kind: number, chain: number, count: number, dieAt: number | undefined, draw: number): void {
    const layout = this.layout(kind);
    const { places, records } = this.books.place(layout, count);
    this.append(records);
    if (dieAt === 0) return this.die(draw);
    this.#settle();
    const blocks = places.map((place, i) => ({ ...place, block: blockOf(chain, i) }));
    const torn = dieAt === 1 ? draw % (blocks.length + 1) : undefined;
    blocks.forEach((one, i) => {
      if (torn !== undefined && i > torn) return;
      this.#put(kind, one, i === torn ? "torn" : undefined);
    });
    if (dieAt === 1 || dieAt === 2) return this.die(0);
    this.append(this.books.store(layout, blocks));
    if (dieAt === 3) this.die(draw);
    else this.#settle();
  }

  drop(count: number): void {
    this.append(this.books.drop(this.books.slots().slice(0, count)));
    this.#settle();
  }

  /** The machine's program dies: the last append may be cut anywhere; what was written is. */
  die(draw: number): void {
    this.deaths += 1;
    const most = this.index.length - this.safeBytes;
    const kept = most === 0 ? this.index.length : this.safeBytes + draw % (most + 1);
    const replayed = replayIndex(this.index.subarray(0, kept), crc32)!;
    assert.ok(kept - replayed.goodBytes < recordBytes);
    this.index = this.index.slice(0, replayed.goodBytes);
    this.safeBytes = this.index.length;
    this.books = new DiskBooks({ segments, segmentPages });
    const keys = new Set(replayed.entries.map(({ layoutLo, hi, lo }) => `${layoutLo}:${hi}:${lo}`));
    this.books.restore(replayed.entries);
    assert.equal(this.books.count, keys.size);
  }

  /** What is found lies where it is said to, whole. */
  check(): void {
    this.books.checkIntegrity();
    const { table, layouts } = this.books.pool;
    for (const slot of this.books.slots()) {
      const { lo } = layouts[table.layout[slot]];
      assert.equal(this.pages.get(table.page[slot]), `${lo}:${table.hi[slot]}:${table.lo[slot]}`);
    }
    const replayed = replayIndex(this.index, crc32)!;
    const said = new Set(replayed.entries.map(({ page }) => page));
    for (const slot of this.books.slots()) assert.ok(said.has(table.page[slot]));
  }

  has(kind: number, chain: number, index: number): boolean {
    return this.books.has(this.layout(kind), chain, index);
  }

  /** The last append is done: death cuts nothing of it. */
  #settle(): void {
    this.safeBytes = this.index.length;
  }

  #put(kind: number, { page, block }: DiskPlace & { block: BlockToStore }, as?: string): void {
    const { lo, slotPages } = kinds[kind];
    for (let i = 0; i < slotPages; i++) this.pages.delete(page + i);
    // What began before and reached in here is gone too.
    for (let i = 1; i < 5; i++) {
      const before = this.pages.get(page - i);
      const length = kinds.find((one) => before?.startsWith(`${one.lo}:`))?.slotPages ?? 0;
      if (length > i) this.pages.delete(page - i);
    }
    this.pages.set(page, as ?? `${lo}:${block.hi}:${block.lo}`);
  }
}

function blockOf(chain: number, index: number): BlockToStore {
  const isFirst = index === 0;
  return {
    ...{ hi: chain, lo: index, index },
    ...{ parentHi: isFirst ? 0 : chain, parentLo: isFirst ? 0 : index - 1 },
  };
}

const step = fc.record({
  op: fc.constantFrom(...Array(20).fill("write"), "read", "read", "read", "drop", "anew", "die"),
  kind: fc.nat({ max: 2 }),
  chain: fc.nat({ max: 40 }),
  count: fc.integer({ min: 1, max: 5 }),
  dieAt: fc.nat({ max: 99 }).map((n) => n < 4 ? n : undefined),
  draw: fc.nat(),
});

Deno.test("whatever is stored, read, dropped and killed when: what the books find lies there whole", () => {
  let deaths = 0;
  let full = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 60, maxLength: 200 }), (steps) => {
      const machine = new Machine();
      for (const { op, kind, chain, count, dieAt, draw } of steps) {
        const { books } = machine;
        if (op === "write") machine.write(kind, chain, count, dieAt, draw);
        else if (op === "die") machine.die(draw);
        else if (op === "drop") machine.drop(count);
        else if (op === "anew") {
          const records = books.records();
          machine.index = encodeIndexHead(segmentPages, crc32);
          machine.append(records);
          machine.safeBytes = machine.index.length;
        } else {
          const layout = machine.layout(kind);
          const { lease, rows } = books.open(layout, Uint32Array.of(0, chain, 1, chain));
          assert.equal(rows[0] !== 0, machine.has(kind, chain, 0));
          books.close(layout, lease);
        }
        machine.check();
        if (machine.books.pool.slab.emptySegments === 0) full += 1;
      }
      deaths += machine.deaths;
    }),
    { numRuns: 60 },
  );
  assert.ok(deaths > 100 && full > 1_000, `${deaths} deaths, full at ${full} steps`);
});

Deno.test("what was stored before a death is there after it, in the order of use", () => {
  const machine = new Machine();
  machine.write(0, 1, 3, undefined, 0);
  machine.write(1, 2, 2, undefined, 0);
  // All of the last append is kept.
  machine.die(recordBytes);
  for (const index of [0, 1, 2]) assert.ok(machine.has(0, 1, index), `block ${index}`);
  // Of long slots one is given at a time here.
  assert.ok(machine.has(1, 2, 0) && !machine.has(1, 2, 1));
  machine.check();
  const layout = machine.layout(0);
  assert.deepEqual(machine.books.pool.takeEvents(layout), []);
  const [event] = machine.books.pool.snapshot(layout);
  assert.ok(event.op === "stored" && event.parent === 0);
  assert.deepEqual([...event.lo], [0, 1, 2]);
});

Deno.test("replayIndex() stops at the first bad record and refuses a head that is none", () => {
  const entry = {
    ...{ page: 0, slotPages: 1, blockSize: 64, layoutHi: 1, layoutLo: 2, hi: 3, lo: 4 },
    ...{ parentHi: 0, parentLo: 0, index: 0 },
  };
  const records = [0, 1, 2].map((page): IndexRecord => ({
    op: "put",
    entry: { ...entry, page, lo: page },
  }));
  const head = encodeIndexHead(segmentPages, crc32);
  const bytes = Uint8Array.from([...head, ...encodeRecords(records, crc32)]);
  assert.equal(replayIndex(bytes, crc32)!.entries.length, 3);
  for (let at = recordBytes; at < bytes.length; at++) {
    const damaged = bytes.slice();
    damaged[at] ^= 4;
    const replayed = replayIndex(damaged, crc32)!;
    const good = Math.floor(at / recordBytes) - 1;
    assert.deepEqual([replayed.records, replayed.entries.length], [good, good]);
    assert.equal(replayed.goodBytes, (good + 1) * recordBytes);
  }
  for (let at = 0; at < recordBytes; at++) {
    const damaged = bytes.slice();
    damaged[at] ^= 1;
    assert.equal(replayIndex(damaged, crc32), undefined);
  }
  assert.equal(replayIndex(bytes.subarray(0, 63), crc32), undefined);
});

Deno.test("an index of 100,000 blocks is read back well within a second", () => {
  const records = Array.from({ length: 100_000 }, (_, page): IndexRecord => ({
    op: "put",
    entry: {
      ...{ page, slotPages: 1, blockSize: 64, layoutHi: 1, layoutLo: 2, index: page % 50 },
      ...{ hi: page, lo: Math.imul(page, 0x9e3779b1) >>> 0, parentHi: page - 1, parentLo: 7 },
    },
  }));
  const bytes = new Uint8Array((records.length + 1) * recordBytes);
  bytes.set(encodeIndexHead(16_384, crc32));
  bytes.set(encodeRecords(records, crc32), recordBytes);
  const startedMs = performance.now();
  const replayed = replayIndex(bytes, crc32)!;
  const books = new DiskBooks({ segments: 7, segmentPages: 16_384 });
  assert.equal(books.restore(replayed.entries), 100_000);
  const tookMs = performance.now() - startedMs;
  // A bound with room for a busy machine; docs/kv.md has what was measured.
  assert.ok(tookMs < 3_000, `${tookMs} ms`);
  assert.ok(books.has(0, 77, Math.imul(77, 0x9e3779b1) >>> 0));
});
