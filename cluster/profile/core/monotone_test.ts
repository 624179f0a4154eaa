import assert from "node:assert/strict";
import fc from "fast-check";
import { medianOf, monotone } from "./monotone.ts";

Deno.test("monotone() draws what fell along either axis to the mean, and leaves the rest", () => {
  const rounded = (ms: readonly (readonly number[])[]) =>
    monotone(ms).map((row) => row.map((value) => Math.round(value * 1000) / 1000));
  assert.deepEqual(rounded([[1, 3, 2], [2, 2, 5]]), [[1, 2.333, 2.333], [2, 2.333, 5]]);
  assert.deepEqual(rounded([[2], [1], [6]]), [[1.5], [1.5], [6]]);
  assert.deepEqual(monotone([[1, 2], [3, 4]]), [[1, 2], [3, 4]]);
});

Deno.test("monotone() never falls, keeps the sum, and changes nothing a second time", () => {
  const row = fc.array(fc.double({ min: 0.1, max: 100, noNaN: true }), {
    ...{ minLength: 4, maxLength: 4 },
  });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 6 }), (ms) => {
      const table = monotone(ms);
      table.forEach((values, i) =>
        values.forEach((value, j) => {
          assert.ok(value >= (table[i - 1]?.[j] ?? 0) && value >= (values[j - 1] ?? 0));
        })
      );
      const total = (of: readonly (readonly number[])[]) => of.flat().reduce((sum, x) => sum + x);
      assert.ok(Math.abs(total(table) / total(ms) - 1) < 1e-3);
      monotone(table).flat().forEach((value, at) => {
        assert.ok(Math.abs(value - table.flat()[at]) <= 1e-6 * Math.max(1, value));
      });
    }),
    { numRuns: 200 },
  );
});

Deno.test("medianOf() is the middle, or between the two middles", () => {
  assert.equal(medianOf([5]), 5);
  assert.equal(medianOf([9, 1, 2]), 2);
  assert.equal(medianOf([4, 1, 2, 9]), 3);
});
