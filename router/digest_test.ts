import assert from "node:assert/strict";
import { Sha256 } from "./digest.ts";

Deno.test("hex() is the sha256 of all pieces", () => {
  const hash = new Sha256();
  hash.update(new TextEncoder().encode("a"));
  hash.update(new TextEncoder().encode("bc"));
  // FIPS 180-2, appendix B.1.
  assert.equal(hash.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});
