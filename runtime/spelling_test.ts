import assert from "node:assert/strict";
import fc from "fast-check";
import { closestWord, editDistance } from "./spelling.ts";

const words = fc.string({ maxLength: 12 });

Deno.test("editDistance() is a symmetric distance bounded by the longer word", () => {
  fc.assert(fc.property(words, words, (a, b) => {
    const edits = editDistance(a, b);
    assert.equal(edits, editDistance(b, a));
    assert.equal(edits === 0, a === b);
    assert.ok(edits >= Math.abs(a.length - b.length) && edits <= Math.max(a.length, b.length));
  }));
});

Deno.test("editDistance() counts an adjacent swap once", () => {
  assert.equal(editDistance("prot", "port"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
});

Deno.test("closestWord() names the nearest and keeps silent when nothing is near", () => {
  assert.equal(closestWord("--kv-temprature", ["--kv-temperature", "--port"]), "--kv-temperature");
  assert.equal(closestWord("--unrelated", ["--kv-temperature", "--port"]), undefined);
});
