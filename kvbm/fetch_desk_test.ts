import assert from "node:assert/strict";
import { VirtualClock } from "@pixii/runtime";
import { BlockPool } from "./core/block_pool.ts";
import { FetchDesk } from "./fetch_desk.ts";
import { ScriptedSource, writeBlock } from "./testing/scripted_source.ts";

const pageBytes = 4096;

/** A pool of `slots` slots with one worker, a source that has blocks 1 to 40, and what the worker was told. */
function openDesk(slots = 64) {
  const clock = new VirtualClock();
  const pool = new BlockPool({ segments: 1, segmentPages: slots });
  const layout = pool.layout({ hi: 3, lo: 4, blockSize: 64, slotPages: 1 })!;
  const memory = new ArrayBuffer(slots * pageBytes);
  const told: { client: number; op: string; words: number[] }[] = [];
  const desk = new FetchDesk({
    ...{ pool, clock, onChange: () => {} },
    view: (offset, length) => new Uint8Array(memory, offset, length),
    tell: (client, op, words) => told.push({ client, op, words: [...words] }),
  });
  const source = new ScriptedSource();
  for (let lo = 1; lo <= 40; lo++) source.has.add(lo);
  desk.add(source);
  const client = pool.join(layout);
  const ask = (lease: number, los: readonly number[], awaits = false, who = client) => {
    const routes = Uint32Array.from(los.flatMap((lo) => [lo, 0]));
    const found = pool.find(who, lease, routes);
    desk.want({ client: who, lease, layout, routes, found, awaits });
    return [...found];
  };
  const release = (lease: number) => {
    desk.release(client, [lease]);
    pool.release(client, [lease]);
  };
  const commit = (lo: number) => {
    const [slot, page] = pool.reserve(client, 1);
    writeBlock(new Uint8Array(memory, page * pageBytes, pageBytes), {
      ...{ hi: 0, lo, layout: { hi: 3, lo: 4 } },
    });
    const entry = Uint32Array.of(slot, lo, 0, 0, 0, 0);
    desk.committed(layout, entry, pool.commit(client, entry));
    return { slot, page };
  };
  const check = () => {
    pool.checkIntegrity();
    desk.waiting.checkIntegrity();
  };
  return { clock, pool, layout, told, desk, source, client, ask, release, commit, check };
}

Deno.test("want() answers coming for what a source has, and landed pins it under the lease", () => {
  const { pool, told, source, client, ask, release, check, layout, desk } = openDesk();
  assert.deepEqual(ask(5, [1, 2, 99]), [0, 1, 0, 1, 0, 0]);
  assert.deepEqual(source.orders.map(({ block }) => block.lo), [1, 2]);
  source.land();
  const slot = pool.keys.find(layout, 0, 1);
  assert.ok(slot > 0);
  assert.deepEqual(told, [{ client, op: "landed", words: [5, 0, slot, pool.table.page[slot]] }]);
  assert.equal(pool.table.pins[slot], 1);
  check();
  source.orders.shift()!.end("lost");
  assert.deepEqual(told[1], { client, op: "lost", words: [5, 1] });
  assert.deepEqual({ ...desk.counts.landed }, { host: 0, disk: 1, remote: 0 });
  release(5);
  assert.equal(pool.table.pins[slot], 0);
  assert.equal(pool.table.live, 1);
  check();
  desk[Symbol.dispose]();
});

Deno.test("two leases that want one block share one fetch and are both told", () => {
  const { pool, told, source, ask, check, layout } = openDesk();
  ask(1, [7]);
  const other = pool.join(layout);
  assert.deepEqual(ask(9, [8, 7], false, other), [0, 1, 0, 1]);
  assert.equal(source.orders.length, 2);
  source.land();
  assert.deepEqual(told.map(({ client, words }) => [client, ...words.slice(0, 2)]), [
    [told[0].client, 1, 0],
    [other, 9, 1],
  ]);
  assert.equal(pool.table.pins[pool.keys.find(layout, 0, 7)], 2);
  check();
});

Deno.test("await answers coming for all and lands by whoever commits; a find of what nobody has does not wait", () => {
  const { told, ask, commit, check, source, desk } = openDesk();
  assert.deepEqual(ask(1, [77]), [0, 0]);
  assert.deepEqual(ask(2, [77, 5], true), [0, 1, 0, 1]);
  // What the source loses may still be committed by somebody.
  source.orders.shift()!.end("lost");
  assert.deepEqual(told, []);
  const first = commit(77);
  const second = commit(5);
  assert.deepEqual(told.map(({ op, words }) => [op, ...words]), [
    ["landed", 2, 0, first.slot, first.page],
    ["landed", 2, 1, second.slot, second.page],
  ]);
  assert.equal(desk.waiting.count, 0);
  check();
});

Deno.test("a lease that is over is told nothing; what was not begun is not fetched, what was begun is kept", () => {
  const { pool, told, source, ask, release, check, layout, desk } = openDesk(64);
  // A sixteenth of the pool: four at a time.
  ask(1, [1, 2, 3, 4, 5, 6]);
  assert.equal(source.orders.length, 4);
  release(1);
  source.land();
  assert.equal(source.orders.length, 3);
  while (source.orders.length > 0) source.land();
  assert.deepEqual(told, []);
  assert.equal(desk.depth, 0);
  const slot = pool.keys.find(layout, 0, 1);
  assert.equal(pool.table.pins[slot], 0);
  assert.ok(slot > 0 && pool.keys.find(layout, 0, 5) === 0);
  check();
});

Deno.test("a client that leaves waits for nothing any more, and its lease may be asked anew", () => {
  const { pool, told, source, ask, check, client, desk } = openDesk();
  ask(1, [1, 2]);
  ask(1, [3]);
  assert.equal(desk.waiting.count, 1);
  desk.leave(client);
  pool.leave(client);
  while (source.orders.length > 0) source.land();
  assert.deepEqual(told, []);
  check();
});

Deno.test("a pool that is all held loses the blocks at once, and waits where slots are on the way", () => {
  const { told, source, ask, client, pool, layout, desk } = openDesk(2);
  const hog = pool.join(layout);
  assert.equal(pool.reserve(hog, 1).length, 2);
  ask(1, [1, 2]);
  assert.equal(source.orders.length, 1);
  source.land();
  // The first is pinned by the lease that waits, so no slot is left for the second.
  assert.deepEqual(told.map(({ op, words }) => [op, words[1]]), [["landed", 0], ["lost", 1]]);
  assert.equal(client, told[1].client);
  assert.equal(desk.depth, 0);
});

Deno.test("who waits too long hears that the block is lost; it may land later for others", async () => {
  const { clock, pool, told, source, ask, layout, check } = openDesk();
  ask(1, [1]);
  await clock.advance(7_000);
  assert.deepEqual(told.map(({ op, words }) => [op, ...words]), [["lost", 1, 0]]);
  source.land();
  assert.equal(told.length, 1);
  assert.ok(pool.keys.find(layout, 0, 1) > 0);
  check();
});

Deno.test("a block of another key than was wanted is lost, not served", () => {
  const { pool, told, source, ask, layout, check } = openDesk();
  ask(1, [1]);
  const { block, end } = source.orders.shift()!;
  writeBlock(block.view, { hi: 0, lo: 2, layout: { hi: 3, lo: 4 } });
  end("landed");
  assert.deepEqual(told.map(({ op }) => op), ["lost"]);
  assert.equal(pool.keys.find(layout, 0, 1) + pool.keys.find(layout, 0, 2), 0);
  check();
});

Deno.test("prefetch() brings blocks, keeps them for some seconds and lets go", async () => {
  const { clock, pool, source, desk, layout, ask, check } = openDesk();
  assert.equal(desk.prefetch(layout, { routes: Uint32Array.of(1, 0, 2, 0, 99, 0) }), 2);
  source.land();
  const slot = pool.keys.find(layout, 0, 1);
  assert.equal(pool.table.pins[slot], 1);
  // A request that waits comes before what is fetched ahead.
  assert.equal(ask(1, [1, 2])[0], slot);
  await clock.advance(4_000);
  assert.equal(pool.table.pins[slot], 1);
  source.land();
  assert.equal(pool.table.pins[pool.keys.find(layout, 0, 2)], 1);
  check();
  desk[Symbol.dispose]();
  assert.equal(clock.waiting, 0);
});

Deno.test("a request that waits comes before what is fetched ahead, also where it wants the same", () => {
  const { source, desk, layout, ask, check } = openDesk();
  // Four at a time: 5 to 9 have to wait.
  const early = [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((lo) => [lo, 0]);
  assert.equal(desk.prefetch(layout, { routes: Uint32Array.from(early) }), 9);
  assert.deepEqual(ask(1, [9, 20]), [0, 1, 0, 1]);
  const ordered = () => source.orders.map(({ block }) => block.lo);
  assert.deepEqual(ordered(), [1, 2, 3, 4]);
  source.land();
  assert.deepEqual(ordered(), [2, 3, 4, 9]);
  source.land();
  source.land();
  assert.deepEqual(ordered(), [4, 9, 20, 5]);
  while (source.orders.length > 0) source.land();
  assert.equal(desk.depth, 0);
  assert.deepEqual({ ...desk.counts.landed }, { host: 0, disk: 10, remote: 0 });
  check();
});

Deno.test("where slots are short more is ordered in batches, not block by block", () => {
  // 32 at a time.
  const { source, ask, desk, check } = openDesk(512);
  ask(1, Array.from({ length: 40 }, (_, i) => i + 1));
  const ordered = () => source.orders.length;
  assert.equal(ordered(), 32);
  for (let i = 0; i < 7; i++) source.land();
  assert.equal(ordered(), 25);
  source.land();
  assert.equal(ordered(), 32);
  while (ordered() > 0) source.land();
  assert.equal(desk.depth, 0);
  assert.equal(desk.counts.landed.disk, 40);
  check();
});

Deno.test("commitPrivate() gives a block to those who await it and nobody else, and it goes with their leases", () => {
  const { pool, layout, told, client, ask, release, check, desk } = openDesk();
  assert.deepEqual(ask(3, [70], true), [0, 1]);
  const [slot, page, spare] = pool.reserve(client, 2);
  const entries = Uint32Array.of(slot, 70, 0, 0, 0, 1, spare, 71, 0, 0, 0, 1);
  pool.takeEvents(layout);
  // Nobody awaits block 71: it is not kept.
  assert.deepEqual([...desk.commitPrivate(client, layout, entries)], [slot, 0, 0, 0]);
  assert.deepEqual(told, [{ client, op: "landed", words: [3, 0, slot, page] }]);
  assert.equal(pool.keys.find(layout, 0, 70), 0);
  assert.deepEqual(ask(4, [70, 71]), [0, 0, 0, 0]);
  assert.deepEqual(pool.takeEvents(layout), []);
  assert.equal(pool.table.live, 1);
  check();
  release(3);
  assert.equal(pool.table.live, 0);
  check();
});
