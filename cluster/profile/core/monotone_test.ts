import assert from "node:assert/strict";
import { medianOf, monotone } from "./monotone.ts";

Deno.test("monotone() raises what fell, along both axes, and leaves the rest", () => {
  assert.deepEqual(monotone([[1, 3, 2], [2, 2, 5]]), [[1, 3, 3], [2, 3, 5]]);
  assert.deepEqual(monotone([[1, 2], [3, 4]]), [[1, 2], [3, 4]]);
});

Deno.test("medianOf() is the middle, or between the two middles", () => {
  assert.equal(medianOf([5]), 5);
  assert.equal(medianOf([9, 1, 2]), 2);
  assert.equal(medianOf([4, 1, 2, 9]), 3);
});
