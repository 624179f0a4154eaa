import assert from "node:assert/strict";
import fc from "fast-check";
import type { HashList, KvEvent } from "@pixii/wire";
import { IndexDuel } from "../testing/index_duel.ts";
import { hashesOf, storedOf } from "../testing/samples.ts";
import { moduleBase64, sourceDigest } from "./index/module.ts";
import { sourceDigest as digestOfSources } from "../testing/build_index.ts";
import { IndexBudget } from "./index_budget.ts";
import { RunIndex } from "./run_index.ts";

const mebi = 2 ** 20;

function indexOf(bytes = 16 * mebi): RunIndex {
  return new RunIndex(new IndexBudget(bytes));
}

function stored(first: number, list: HashList, parent = 0): KvEvent {
  return { ...storedOf(list, first), parent } as KvEvent;
}

function removed(...numbers: number[]): KvEvent {
  return { op: "removed", numbers: Uint32Array.from(numbers) };
}

/** Blocks `from` to `to` of a list. */
function part({ hi, lo }: HashList, from: number, to: number): HashList {
  return { hi: hi.slice(from, to), lo: lo.slice(from, to) };
}

Deno.test("the index answers as the Map tree does, whatever is stored, removed, cleared and dropped", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 - 1 }), (seed) => {
      const duel = new IndexDuel(seed);
      for (let i = 0; i < 600; i++) duel.step();
      duel.check();
    }),
    { numRuns: 60 },
  );
});

Deno.test("what the index keeps of a beginning that many share does not outlive a change of it or of the candidates", () => {
  const index = indexOf();
  const list = hashesOf(1, 8);
  const slots = Array.from({ length: 6 }, () => index.open());
  slots.forEach((slot, i) => index.apply(slot, [stored(1, part(list, 0, i + 3))]));
  const candidates = slots.map((device) => ({ device }));
  const reaches = (of = candidates, blocks = 8) => {
    const out = new Uint32Array(3 * of.length);
    // The second answer is of what the first one kept.
    index.overlaps(part(list, 0, blocks), of, out);
    index.overlaps(part(list, 0, blocks), of, out);
    index.checkIntegrity();
    return of.map((_, j) => out[3 * j]);
  };
  assert.deepEqual(reaches(), [3, 4, 5, 6, 7, 8]);
  assert.deepEqual(reaches(candidates, 5), [3, 4, 5, 5, 5, 5]);
  assert.deepEqual(reaches(), [3, 4, 5, 6, 7, 8]);
  index.apply(slots[0], [stored(4, part(list, 3, 5), 3)]);
  index.apply(slots[5], [removed(2)]);
  assert.deepEqual(reaches(), [5, 4, 5, 6, 7, 1]);
  index.clear(slots[4]);
  assert.deepEqual(reaches(), [5, 4, 5, 6, 0, 1]);
  index.drop(slots[3]);
  slots[3] = index.open();
  assert.deepEqual(reaches([candidates[2], ...candidates.slice(0, 2)]), [5, 5, 4]);
  assert.deepEqual(reaches(slots.map((device) => ({ device }))), [5, 4, 5, 0, 0, 1]);
});

Deno.test("a conversation told turn by turn becomes one run once the turns' ends are gone", () => {
  const index = indexOf();
  const owners = [index.open(), index.open()];
  const whole = hashesOf(1, 12);
  const ends = [hashesOf(2, 2), hashesOf(3, 2)];
  owners.forEach((owner, i) => {
    const events = [
      stored(1, part(whole, 0, 4)),
      stored(5, ends[0], 4),
      // The second owner had something else in between.
      stored(7 + 30 * i, part(whole, 4, 8), 4),
      stored(101, ends[1], 10 + 30 * i),
      stored(103, part(whole, 8, 12), 10 + 30 * i),
    ];
    for (const event of events) assert.equal(index.apply(owner, [event]).anomalies, 0);
  });
  assert.equal(index.size.runs, 3);
  for (const [gone, runs] of [[removed(6, 5), 2], [removed(102, 101), 1]] as const) {
    for (const owner of owners) index.apply(owner, [gone]);
    index.checkIntegrity();
    assert.equal(index.size.runs, runs);
  }
  const reaches = () => owners.map((owner) => index.longestPrefix(owner, whole));
  assert.deepEqual(reaches(), [12, 12]);
  // Numbers from before the runs were one still name their blocks, and prompts branch off inside.
  assert.equal(index.apply(owners[1], [stored(200, hashesOf(4, 3), 40)]).anomalies, 0);
  index.apply(owners[0], [removed(10)]);
  index.apply(owners[1], [removed(105)]);
  assert.deepEqual(reaches(), [7, 10]);
  index.checkIntegrity();
  const copy = indexOf();
  const other = copy.open();
  assert.equal(copy.apply(other, [...index.snapshot(owners[1])]).anomalies, 0);
  assert.equal(copy.longestPrefix(other, whole), 10);
});

Deno.test("of what several hold with holes each counts up to its own, and a run that goes on behind one is found", () => {
  const index = indexOf();
  const slots = Array.from({ length: 5 }, () => index.open());
  const list = hashesOf(1, 40);
  slots.forEach((slot) => index.apply(slot, [stored(1, list)]));
  slots.forEach((slot, i) => index.apply(slot, [removed(5 + 6 * i)]));
  const reaches = (asked: HashList) => {
    const out = new Uint32Array(3 * slots.length);
    index.overlaps(asked, slots.map((device) => ({ device })), out);
    return slots.map((_, i) => out[3 * i]);
  };
  assert.deepEqual(reaches(list), [4, 10, 16, 22, 28]);
  assert.deepEqual(reaches(part(list, 0, 12)), [4, 10, 12, 12, 12]);
  slots.forEach((slot) => index.apply(slot, [removed(31)]));
  const tiers = [{ device: slots[1], host: slots[3] }, { device: slots[2], disk: slots[4] }];
  const byTier = () => {
    const out = new Uint32Array(6);
    index.overlaps(list, tiers, out);
    return [...out];
  };
  assert.deepEqual(byTier(), [29, 1, 0, 29, 0, 1]);
  // What the first owner tells under a parent that nobody knows fills its hole and goes on.
  index.apply(slots[0], [stored(500, part(list, 4, 6), 77)]);
  assert.deepEqual(reaches(list), [30, 10, 16, 22, 28]);
  assert.deepEqual(byTier(), [29, 1, 0, 29, 0, 1]);
});

Deno.test("the module is the one that its sources make", async () => {
  assert.equal(sourceDigest, await digestOfSources(), "run router/testing/build_index.ts");
  assert.ok(WebAssembly.validate(Uint8Array.from(atob(moduleBase64), (c) => c.charCodeAt(0))));
});

Deno.test("a child that comes before its parent, or whose parent is wrongly 0, counts all the same", () => {
  const index = indexOf();
  const [a, b] = [index.open(), index.open()];
  const list = hashesOf(1, 8);
  index.apply(a, [stored(1, list)]);
  // Owner b tells of the end first, under a parent nobody knows, then as if a prompt began there.
  index.apply(b, [stored(50, part(list, 4, 8), 77)]);
  assert.equal(index.longestPrefix(b, list), 0);
  index.apply(b, [stored(10, part(list, 0, 4))]);
  assert.deepEqual([index.longestPrefix(a, list), index.longestPrefix(b, list)], [8, 8]);
  index.apply(b, [removed(52)]);
  assert.deepEqual([index.longestPrefix(a, list), index.longestPrefix(b, list)], [8, 6]);
  index.checkIntegrity();
});

Deno.test("over its bytes the index forgets the coldest, and credits nothing that is gone", () => {
  const budget = new IndexBudget(mebi);
  const index = new RunIndex(budget);
  const owner = index.open();
  const hot = hashesOf(0, 512);
  index.apply(owner, [stored(1_000_000, hot)]);
  for (let seed = 1; seed <= 400; seed++) {
    assert.equal(index.apply(owner, [stored(seed * 1_000, hashesOf(seed, 900))]).isFull, false);
    assert.equal(index.longestPrefix(owner, hot), 512, `the hot prompt is gone at ${seed}`);
  }
  assert.ok(budget.usedBytes <= budget.capacityBytes);
  assert.equal(budget.evictedBlocks + index.blocks, 400 * 900 + 512);
  assert.ok(budget.evictedBlocks > 0 && index.blocks > 60_000);
  let kept = 0;
  for (let seed = 1; seed <= 400; seed++) kept += index.longestPrefix(owner, hashesOf(seed, 900));
  assert.equal(kept + 512, index.blocks);
  index.checkIntegrity();
  // The owner removes all: what was evicted is no contradiction.
  for (let seed = 1; seed <= 400; seed++) {
    const numbers = storedOf(hashesOf(seed, 900), seed * 1_000);
    const gone: KvEvent = { op: "removed", numbers: (numbers as { numbers: Uint32Array }).numbers };
    assert.equal(index.apply(owner, [gone]).anomalies, 0);
  }
  assert.equal(index.blocks, 512);
  index.checkIntegrity();
});

Deno.test("a flood of unique prompts of one block stays within the bytes", () => {
  const budget = new IndexBudget(mebi);
  const index = new RunIndex(budget);
  const owner = index.open();
  for (let i = 0; i < 60_000; i++) {
    const list = { hi: Uint32Array.of(i), lo: Uint32Array.of(Math.imul(i, 0x9e3779b1) >>> 0) };
    index.apply(owner, [stored(i + 1, list)]);
    if (i % 16 === 0) index.longestPrefix(owner, list);
  }
  assert.ok(budget.usedBytes <= mebi);
  assert.equal(budget.evictedBlocks + index.blocks, 60_000);
  index.checkIntegrity();
});

Deno.test("without a budget nothing is held and nothing breaks", () => {
  const index = indexOf(0);
  const owner = index.open();
  const list = hashesOf(1, 4);
  assert.equal(index.apply(owner, [stored(1, list)]).isFull, true);
  assert.deepEqual([index.longestPrefix(owner, list), index.blocksOf(owner)], [0, 0]);
  index.clear(owner);
  index.drop(owner);
  index.checkIntegrity();
});

Deno.test("applyEncoded() takes nothing of a damaged message, and never breaks", () => {
  const index = indexOf();
  const owner = index.open();
  const body = { at: 0, ops: 1 };
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 64 }), fc.nat(3), (bytes, ops) => {
      const before = index.blocks;
      const outcome = index.applyEncoded(owner, bytes, { at: 0, ops });
      if (outcome === undefined) assert.equal(index.blocks, before);
      index.checkIntegrity();
    }),
    { numRuns: 500 },
  );
  const words = Uint32Array.of(1, 2, 0, 7, 1, 1, 8, 2, 2);
  const whole = new Uint8Array(words.buffer);
  for (let cut = 0; cut < whole.length; cut++) {
    assert.equal(index.applyEncoded(owner, whole.subarray(0, cut), body), undefined);
  }
  index.clear(owner);
  assert.equal(index.applyEncoded(owner, whole, body)?.anomalies, 0);
  assert.equal(index.blocks, 2);
});
