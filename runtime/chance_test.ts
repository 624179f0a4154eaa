import assert from "node:assert/strict";
import fc from "fast-check";
import { isInstanceId, isRequestId } from "@pixii/wire";
import { seededChance } from "./chance_seeded.ts";
import { systemChance } from "./chance_system.ts";

const wordsOf = (seed: number, count: number) => {
  const chance = seededChance(seed);
  return Array.from({ length: count }, () => chance.u32());
};

Deno.test("seededChance() draws the same from the same seed and another from its neighbour", () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xfffffffe }), (seed) => {
    assert.deepEqual(wordsOf(seed, 8), wordsOf(seed, 8));
    assert.notDeepEqual(wordsOf(seed, 8), wordsOf(seed + 1, 8));
  }));
});

Deno.test("seededChance() keeps its draws from version to version", () => {
  assert.deepEqual(wordsOf(42, 3), [1424808046, 3778525926, 3676079305]);
});

for (const [name, make] of [["seeded", () => seededChance(7)], ["system", systemChance]] as const) {
  Deno.test(`${name} chance spreads floats evenly over [0, 1)`, () => {
    const chance = make();
    const bins = new Array(16).fill(0);
    for (let i = 0; i < 32_000; i++) {
      const float = chance.float();
      assert.ok(float >= 0 && float < 1);
      bins[Math.floor(float * 16)]++;
    }
    for (const count of bins) assert.ok(Math.abs(count - 2_000) < 300, `bins ${bins}`);
  });

  Deno.test(`${name} chance makes well-formed ids that differ`, () => {
    const chance = make();
    const ids = Array.from({ length: 1_000 }, () => chance.instanceId());
    assert.ok(ids.every((id) => isInstanceId(id)));
    assert.equal(new Set(ids).size, ids.length);
    assert.ok(isRequestId(chance.requestId()));
  });
}
