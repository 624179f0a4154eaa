import assert from "node:assert/strict";
import { heldOf } from "./held_blocks.ts";

Deno.test("heldOf() compares both halves of a hash, and knows each block asked for twice", () => {
  const list = { hi: Uint32Array.of(1, 2, 9, 1), lo: Uint32Array.of(5, 5, 5, 5) };
  const run = { hi: Uint32Array.of(1, 3), lo: Uint32Array.of(5, 5) };
  const numbers = Uint32Array.of(1, 2);
  const held = heldOf([{ op: "stored", parent: 0, numbers, ...run }, { op: "cleared" }], list);
  assert.deepEqual([...held], [1, 0, 0, 1]);
  assert.deepEqual([...heldOf([], { hi: Uint32Array.of(), lo: Uint32Array.of() })], []);
});
