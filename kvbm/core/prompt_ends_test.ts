import assert from "node:assert/strict";
import { endMark } from "@pixii/wire";
import { BlockPool } from "./block_pool.ts";

/** A pool of 64 slots of a page with one worker: eight of them may be prompts' ends. */
function smallPool() {
  const pool = new BlockPool({ segments: 1, segmentPages: 64 });
  const layout = pool.layout({ hi: 0, lo: 1, blockSize: 64, slotPages: 1 })!;
  const client = pool.join(layout);
  const put = (route: number, index: number, parent = 0) => {
    const [slot] = pool.reserve(client, 1);
    pool.commit(client, Uint32Array.of(slot, route, 0, parent, 0, index));
    return slot;
  };
  const find = (...routes: number[]) => {
    const words = Uint32Array.from(routes.flatMap((route) => [route, 0]));
    const rows = pool.find(client, 7, words, { hasEnd: true });
    pool.release(client, [7]);
    return routes.map((_, i) => rows[2 * i]);
  };
  return { pool, layout, client, put, find };
}

Deno.test("ends take an eighth of a pool, and the least recently used makes room", () => {
  const { pool, put, find } = smallPool();
  put(1, 0);
  for (let end = 0; end < 8; end++) put(100 + end, endMark + 1, 1);
  assert.deepEqual([pool.ends.count, pool.ends.pages, pool.keys.count], [8, 8, 9]);
  assert.notEqual(find(100)[0], 0);
  put(108, endMark + 1, 1);
  assert.deepEqual(find(1, 101), [find(1)[0], 0]);
  assert.ok(find(1, 100).every((slot) => slot !== 0));
  assert.equal(pool.ends.count, 8);
  pool.checkIntegrity();
});

Deno.test("an end that is read or copied stays, and the next one goes", () => {
  const { pool, client, put, find } = smallPool();
  const slots = Array.from({ length: 8 }, (_, end) => put(100 + end, endMark));
  pool.find(client, 9, Uint32Array.of(100, 0), { hasEnd: true });
  for (const slot of slots.slice(1)) find(100 + slots.indexOf(slot));
  pool.copying.add(slots[1]);
  put(108, endMark);
  assert.deepEqual([100, 101, 102].map((route) => find(route)[0] !== 0), [true, true, false]);
  pool.checkIntegrity();
});

Deno.test("no event and no snapshot tells of an end, and a missing one is no miss", () => {
  const { pool, layout, put, find } = smallPool();
  put(1, 0);
  pool.takeEvents(layout);
  const slot = put(100, endMark + 1, 1);
  assert.deepEqual(pool.takeEvents(layout), []);
  assert.deepEqual(pool.snapshot(layout).length, 1);
  find(1, 101);
  assert.deepEqual([pool.counts.hits, pool.counts.misses], [1, 0]);
  pool.drop([slot]);
  assert.deepEqual(pool.takeEvents(layout), []);
  assert.equal(pool.ends.count, 0);
  pool.checkIntegrity();
});
