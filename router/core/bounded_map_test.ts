import assert from "node:assert/strict";
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
