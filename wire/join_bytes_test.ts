import assert from "node:assert/strict";
import { joinBytes } from "./join_bytes.ts";

Deno.test("joinBytes() puts parts behind each other, and copies none that is alone", () => {
  const [one, two] = [Uint8Array.of(1, 2), Uint8Array.of(3)];
  assert.deepEqual(joinBytes([one, new Uint8Array(), two]), Uint8Array.of(1, 2, 3));
  assert.equal(joinBytes([one]), one);
  assert.deepEqual(joinBytes([]), new Uint8Array());
});
