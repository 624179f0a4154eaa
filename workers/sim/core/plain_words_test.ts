import assert from "node:assert/strict";
import type { VocabularyArtifact } from "@pixii/wire";
import { plainTokensOf, vocabularySize } from "./plain_words.ts";

function vocabularyOf(
  vocab: Record<string, number>,
  added: { id: number; content: string; special: boolean }[] = [],
): VocabularyArtifact {
  return {
    version: 1,
    tokenizer: { model: { vocab }, added_tokens: added },
    tokenizerConfig: {},
    addBos: false,
    eosTokenIds: [9],
    pre: "gpt-2",
  };
}

/** Byte letters: Ġ is a space, Ċ a line break, Ã and © the two bytes of é. */
const odd = {
  "a": 0,
  "Ġthe": 1,
  "Ã©": 2,
  "Ã": 3,
  "Ċ": 4,
  "Ġ": 5,
  "ends": 9,
  "1": 10,
  "<b>": 11,
  "Ġ,": 12,
  "æĹ¥": 13,
  "ï¿½": 14,
  "日": 15,
};

Deno.test("plainTokensOf() takes whole printable tokens only: no halves, no specials, no ends", () => {
  const plain = plainTokensOf(vocabularyOf(odd, [{ id: 11, content: "<b>", special: true }]));
  assert.deepEqual([...plain!.first], [0, 2, 13]);
  // Few words: everything printable is said, but for U+FFFD.
  assert.deepEqual([...plain!.rest], [0, 1, 2, 5, 10, 12, 13]);
});

Deno.test("plainTokensOf() keeps to words with a space before them where there are enough", () => {
  const words = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`Ġ${"x".repeat(i + 1)}`, 100 + i]),
  );
  const plain = plainTokensOf(vocabularyOf({ ...odd, ...words }));
  assert.equal(plain!.rest.length, 41);
  assert.ok(plain!.rest.every((id) => id === 1 || id >= 100));
});

Deno.test("plainTokensOf() gives nothing where nothing is printable", () => {
  assert.equal(plainTokensOf(vocabularyOf({ "Ċ": 1, "Ã": 2, "end": 9 })), undefined);
  assert.equal(plainTokensOf(vocabularyOf({})), undefined);
});

Deno.test("vocabularySize() counts up to the largest id, added tokens too", () => {
  assert.equal(vocabularySize(vocabularyOf(odd)), 16);
  assert.equal(vocabularySize(vocabularyOf(odd, [{ id: 99, content: "s", special: true }])), 100);
  assert.equal(vocabularySize(vocabularyOf({})), 0);
});
