import assert from "node:assert/strict";
import fc from "fast-check";
import { BlockPool } from "./block_pool.ts";
import type { EvictionName } from "./eviction_order.ts";
import { PoolTrial } from "./pool_trial_testing.ts";

Deno.test("any operations of any workers, some of which die, keep the books and the memory right", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { minLength: 200, maxLength: 1200 }), (numbers) => {
      let at = 0;
      const trial = new PoolTrial((n) => numbers[at++ % numbers.length] % n);
      for (let i = 0; i < 150; i++) {
        trial.step();
        trial.pool.checkIntegrity();
      }
      trial.check();
      assert.equal(trial.end(), 0);
    }),
    { numRuns: 100 },
  );
});

Deno.test("a million operations with deaths at random points: no leak, no block written over", () => {
  let state = 20_261_124;
  const draw = (n: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 4_294_967_296 * n);
  };
  const trial = new PoolTrial(draw, { segments: 40, segmentPages: 24 });
  for (let i = 1; i <= 1_000_000; i++) {
    trial.step();
    if (i % 20_000 === 0) trial.check();
  }
  assert.equal(trial.end(), 0);
  const { counts } = trial.pool;
  assert.ok(trial.deaths > 1_000 && counts.evictions > 10_000, JSON.stringify(counts));
  assert.ok(counts.hits > 10_000 && counts.duplicates > 1_000 && counts.damaged > 100);
});

/** A pool with one layout of one page a slot and one worker. */
function smallPool(slots: number, evict: EvictionName = "worth") {
  const pool = new BlockPool({ segments: 1, segmentPages: slots, evict });
  const layout = pool.layout({ hi: 0, lo: 1, blockSize: 64, slotPages: 1 })!;
  const client = pool.join(layout);
  const put = (...blocks: [route: number, parent: number, index: number][]) => {
    for (const [route, parent, index] of blocks) {
      const [slot] = pool.reserve(client, 1);
      pool.commit(client, Uint32Array.from([slot, route, 0, parent, 0, index]));
    }
  };
  const has = (route: number) => {
    const [slot] = pool.find(client, 99, Uint32Array.from([route, 0]));
    return slot !== 0;
  };
  return { pool, layout, client, put, has };
}

Deno.test("order lru takes what was used least recently, and of a chain the tail before the head", () => {
  const { pool, client, put } = smallPool(4, "lru");
  put([11, 0, 0], [12, 11, 1], [13, 12, 2], [20, 0, 0]);
  // The chain is used: tail, middle, head in this order, so 20 is the oldest and 13 the next.
  pool.find(client, 1, Uint32Array.from([11, 0, 12, 0, 13, 0]));
  pool.release(client, [1]);
  put([30, 0, 0]);
  const events = () => pool.takeEvents(0).filter((event) => event.op === "removed").length;
  assert.equal(pool.keys.find(0, 0, 20), 0);
  assert.ok(pool.keys.find(0, 0, 13) > 0);
  put([31, 0, 0]);
  assert.equal(pool.keys.find(0, 0, 13), 0);
  assert.ok(pool.keys.find(0, 0, 11) > 0 && pool.keys.find(0, 0, 12) > 0);
  assert.equal(events(), 2);
});

Deno.test("a pinned block stays however much is wanted, and a reservation until its owner leaves", () => {
  const { pool, layout, client, put, has } = smallPool(2);
  put([1, 0, 0]);
  pool.find(client, 7, Uint32Array.from([1, 0]));
  const other = pool.join(layout);
  assert.equal(pool.reserve(other, 1).length, 2);
  assert.equal(pool.reserve(client, 1).length, 0);
  assert.equal(pool.counts.refused, 1);
  assert.ok(has(1));
  pool.release(client, [99]);
  pool.leave(other);
  assert.equal(pool.reserve(client, 1).length, 2);
  pool.checkIntegrity();
});

Deno.test("a block that is being copied to a tier below is not evicted: another goes, or none", () => {
  const { pool, client, put } = smallPool(2, "lru");
  put([1, 0, 0], [2, 0, 0]);
  const first = pool.keys.find(0, 0, 1);
  pool.copying.add(first);
  put([3, 0, 0]);
  assert.deepEqual([1, 2, 3].map((lo) => pool.keys.find(0, 0, lo) > 0), [true, false, true]);
  pool.copying.add(pool.keys.find(0, 0, 3));
  assert.equal(pool.reserve(client, 1).length, 0);
  pool.copying.clear();
  put([4, 0, 0]);
  assert.equal(pool.keys.find(0, 0, 1), 0);
  pool.checkIntegrity();
});

Deno.test("the second commit of a key frees its own slot and answers with the first", () => {
  const { pool, client, put } = smallPool(40);
  put([1, 0, 0]);
  const [slot] = pool.reserve(client, 1);
  const rows = pool.commit(client, Uint32Array.from([slot, 1, 0, 0, 0, 0]));
  assert.deepEqual([...rows], [pool.keys.find(0, 0, 1), 1]);
  assert.equal(pool.table.live, 1);
});

Deno.test("a layout with other sizes than before, or longer than a segment, is refused", () => {
  const pool = new BlockPool({ segments: 2, segmentPages: 4 });
  assert.equal(pool.layout({ hi: 0, lo: 1, blockSize: 64, slotPages: 5 }), undefined);
  assert.equal(pool.layout({ hi: 0, lo: 1, blockSize: 64, slotPages: 4 }), 0);
  assert.equal(pool.layout({ hi: 0, lo: 1, blockSize: 64, slotPages: 3 }), undefined);
  assert.equal(pool.layout({ hi: 0, lo: 1, blockSize: 64, slotPages: 4 }), 0);
});

Deno.test("a size without slots gets the segment that was used longest ago", () => {
  const pool = new BlockPool({ segments: 2, segmentPages: 4 });
  const small = pool.layout({ hi: 0, lo: 1, blockSize: 64, slotPages: 1 })!;
  const large = pool.layout({ hi: 0, lo: 2, blockSize: 64, slotPages: 3 })!;
  const client = pool.join(small);
  for (let route = 1; route <= 8; route++) {
    const [slot] = pool.reserve(client, 1);
    pool.commit(client, Uint32Array.from([slot, route, 0, 0, 0, 0]));
  }
  const other = pool.join(large);
  assert.equal(pool.reserve(other, 1).length, 2);
  const left = [1, 2, 3, 4, 5, 6, 7, 8].filter((route) => pool.keys.find(small, 0, route) > 0);
  assert.deepEqual(left, [5, 6, 7, 8]);
  pool.checkIntegrity();
});

Deno.test("events tell a chain in one run and name the parent; a block whose parent is not there has none", () => {
  const { pool, put } = smallPool(8);
  put([5, 4, 4], [1, 0, 0], [2, 1, 1], [3, 2, 2]);
  const events = pool.takeEvents(0);
  assert.deepEqual(events.map((event) => event.op === "stored" && [event.parent, [...event.lo]]), [
    [0, [5]],
    [0, [1, 2, 3]],
  ]);
  assert.deepEqual(pool.takeEvents(0), []);
});

Deno.test("coldest() tells what goes next, of one layout or of all, without the pinned and the skipped", () => {
  const pool = new BlockPool({ segments: 2, segmentPages: 8, evict: "lru" });
  const [one, two] = [1, 2].map((lo) => pool.layout({ hi: 0, lo, blockSize: 64, slotPages: lo })!);
  const clients = [pool.join(one), pool.join(two)];
  const put = (of: 0 | 1, route: number) => {
    const [slot] = pool.reserve(clients[of], 1);
    pool.commit(clients[of], Uint32Array.from([slot, route, 0, 0, 0, 0]));
    return slot;
  };
  const slots = [put(0, 1), put(1, 2), put(0, 3), put(1, 4), put(0, 5)];
  assert.deepEqual(pool.coldest(9), slots);
  assert.deepEqual(pool.coldest(2), slots.slice(0, 2));
  assert.deepEqual(pool.coldest(9, { layout: two }), [slots[1], slots[3]]);
  assert.deepEqual(pool.coldest(9, { look: 2, layout: two }), [slots[1]]);
  pool.find(clients[0], 1, Uint32Array.from([1, 0]));
  assert.deepEqual(pool.coldest(2, { skip: (slot) => slot === slots[2] }), [slots[1], slots[3]]);
});

Deno.test("onEvict() hears of each evicted block with its key, and of no block that was dropped", () => {
  const { pool, put, has } = smallPool(2);
  const heard: number[] = [];
  pool.onEvict = (slot) => heard.push(pool.table.lo[slot]);
  put([1, 0, 0], [2, 0, 0]);
  assert.ok(has(1));
  pool.release(1, [99]);
  put([3, 0, 0]);
  assert.deepEqual(heard, [2]);
  assert.equal(pool.counts.evictions, 1);
});
