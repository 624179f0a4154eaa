import assert from "node:assert/strict";
import { byteLetters, spellBytes } from "./byte_letters.ts";

Deno.test("byteLetters is one letter for each byte, itself where it prints", () => {
  assert.equal(new Set(byteLetters).size, 256);
  assert.equal(byteLetters[0x41], "A");
  assert.equal(byteLetters[0x20], "Ġ");
  assert.equal(byteLetters[0x0a], "Ċ");
  assert.equal(byteLetters[0xff], "ÿ");
  assert.equal(byteLetters[0xad], "Ń");
  assert.equal(byteLetters[0x00], "Ā");
});

Deno.test("spellBytes() is the way back, and refuses what is no letter", () => {
  const text = byteLetters.join("");
  const bytes = new Uint8Array(258);
  assert.equal(spellBytes(text, bytes, { at: 1, from: 0, to: 256 }), 256);
  assert.deepEqual([...bytes.subarray(1, 257)], Array.from({ length: 256 }, (_, byte) => byte));
  assert.equal(spellBytes("a b", bytes, { at: 0, from: 0, to: 3 }), undefined);
  assert.equal(spellBytes("日", bytes, { at: 0, from: 0, to: 1 }), undefined);
});
