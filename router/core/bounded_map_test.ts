import assert from "node:assert/strict";
import fc from "fast-check";
import { BoundedMap } from "./bounded_map.ts";

Deno.test("set() forgets the oldest, and makes a known key the youngest", () => {
  const map = new BoundedMap<string, number>(2);
  map.set("a", 1);
  map.set("b", 2);
  map.set("a", 3);
  map.set("c", 4);
  assert.deepEqual([map.get("a"), map.get("b"), map.get("c"), map.size], [3, undefined, 4, 2]);
  map.delete("a");
  assert.equal(map.size, 1);
});

Deno.test("whatever is set and deleted, it holds what a Map that forgets its first key holds, in its order", () => {
  const step = fc.record({ key: fc.integer({ min: 0, max: 12 }), value: fc.option(fc.nat()) });
  fc.assert(fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
    const map = new BoundedMap<number, number>(5);
    const naive = new Map<number, number>();
    for (const { key, value } of steps) {
      naive.delete(key);
      if (value === null) map.delete(key);
      else {
        map.set(key, value);
        naive.set(key, value);
        if (naive.size > 5) naive.delete([...naive.keys()][0]);
      }
      assert.deepEqual([...map], [...naive]);
      assert.equal(map.get(key), naive.get(key));
    }
  }));
});
