import assert from "node:assert/strict";
import fc from "fast-check";
import { minimise } from "./minimise.ts";

Deno.test("minimise() finds exactly the parts that are needed", async () => {
  await fc.assert(fc.asyncProperty(
    fc.integer({ min: 1, max: 40 }).chain((count) =>
      fc.tuple(fc.constant(count), fc.uniqueArray(fc.nat(count - 1), { maxLength: 5 }))
    ),
    async ([count, needed]) => {
      const fails = (parts: readonly number[]) =>
        Promise.resolve(needed.every((one) => parts.includes(one)));
      const left = await minimise(count, { fails, mostRuns: 10_000 });
      assert.deepEqual(left, needed.toSorted((a, b) => a - b));
    },
  ));
});

Deno.test("minimise() stops after its runs with parts that still fail", async () => {
  let asked = 0;
  const fails = (parts: readonly number[]) => {
    asked += 1;
    return Promise.resolve(parts.includes(3) && parts.includes(17));
  };
  const left = await minimise(20, { fails, mostRuns: 9 });
  assert.ok(asked <= 9);
  assert.ok(left.includes(3) && left.includes(17) && left.length < 20, left.join());
});
