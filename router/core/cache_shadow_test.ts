import assert from "node:assert/strict";
import fc from "fast-check";
import { hashesOf } from "../testing/samples.ts";
import { CacheShadow } from "./cache_shadow.ts";
import { ReuseAges } from "./reuse_ages.ts";

Deno.test("a prompt that goes on takes its blocks along; what was used longest ago goes first", () => {
  const shadow = new CacheShadow(new ReuseAges());
  const capacity = 10;
  shadow.used(hashesOf(1, 4), { held: 0, capacity, nowMs: 100 });
  shadow.used(hashesOf(2, 3), { held: 0, capacity, nowMs: 200 });
  assert.deepEqual([shadow.blocks, shadow.tailAgeMs(300)], [7, 200]);
  // The first goes on: the second is now the oldest.
  shadow.used(hashesOf(1, 6), { held: 4, capacity, nowMs: 300 });
  assert.deepEqual([shadow.blocks, shadow.tailAgeMs(300)], [9, 100]);
  shadow.used(hashesOf(3, 5), { held: 0, capacity, nowMs: 400 });
  assert.deepEqual([shadow.blocks, shadow.tailAgeMs(400)], [10, 100]);
  shadow.checkIntegrity();
});

Deno.test("the books add up whatever is used", () => {
  const use = fc.record({
    seed: fc.integer({ min: 1, max: 5 }),
    blocks: fc.integer({ min: 0, max: 12 }),
    held: fc.integer({ min: 0, max: 14 }),
  });
  fc.assert(fc.property(fc.array(use), fc.integer({ min: 1, max: 30 }), (uses, capacity) => {
    const shadow = new CacheShadow(new ReuseAges());
    uses.forEach(({ seed, blocks, held }, i) => {
      shadow.used(hashesOf(seed, blocks), { held, capacity, nowMs: 1000 * i });
      shadow.checkIntegrity();
      assert.ok(shadow.blocks <= capacity);
    });
  }));
});

Deno.test("chance() falls with age where what is used again is used soon", () => {
  const ages = new ReuseAges();
  assert.equal(ages.chance(0), 0);
  for (let i = 0; i < 100; i++) {
    ages.left(2_000, true);
    ages.left(60_000, i % 10 === 0);
  }
  const [young, middle, old] = [1_000, 10_000, 120_000].map((ms) => ages.chance(ms));
  assert.ok(young > 0.5 && young < 0.6, `${young}`);
  assert.ok(middle > 0.05 && middle < 0.15, `${middle}`);
  assert.equal(old, 0);
});
