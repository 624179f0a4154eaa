import assert from "node:assert/strict";
import fc from "fast-check";
import { ChurnMap } from "./churn_map.ts";

const step = fc.record({
  op: fc.constantFrom("set", "set", "delete", "deleteFirst", "clear" as const),
  key: fc.nat(20),
  value: fc.nat(),
});

Deno.test("ChurnMap holds what a Map holds, in its order, after any steps", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const map = new ChurnMap<number, number>();
      const plain = new Map<number, number>();
      for (const { op, key, value } of steps) {
        if (op === "set") {
          map.set(key, value);
          plain.set(key, value);
        } else if (op === "delete") assert.equal(map.delete(key), plain.delete(key));
        else if (op === "clear") {
          map.clear();
          plain.clear();
        } else {
          map.deleteFirst();
          plain.delete(plain.keys().next().value!);
        }
        assert.deepEqual([map.get(key), map.has(key)], [plain.get(key), plain.has(key)]);
        assert.deepEqual([...map], [...plain]);
        assert.deepEqual([...map.values()], [...plain.values()]);
        assert.deepEqual([[...map.keys()], map.size], [[...plain.keys()], plain.size]);
      }
    }),
  );
});

Deno.test("ChurnMap lets entries be taken away while it is read", () => {
  const map = new ChurnMap<number, number>();
  for (let i = 0; i < 100; i++) map.set(i, i);
  const seen: number[] = [];
  for (const value of map.values()) {
    seen.push(value);
    map.delete(value);
    map.delete(value + 1);
  }
  assert.deepEqual(seen, Array.from({ length: 50 }, (_, i) => 2 * i));
  assert.equal(map.size, 0);
});
