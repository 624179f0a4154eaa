import assert from "node:assert/strict";
import fc from "fast-check";
import { byteLetters } from "./byte_letters.ts";
import { TokenTable } from "./token_table.ts";
import { TextStream, TokenTexts } from "./token_text.ts";
import { openTail } from "./utf8_tail.ts";

/** Tokens of random bytes: the pieces of characters that real vocabularies have, and worse. */
const someTokens = fc.array(
  fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 5 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 2 })
      .map((text) => new TextEncoder().encode(text)),
    fc.string({ unit: "binary", minLength: 1, maxLength: 1 })
      .map((text) => new TextEncoder().encode(text).subarray(0, 2)),
  ),
  { minLength: 1, maxLength: 40 },
);

function tableOf(tokens: readonly Uint8Array[]): TokenTable {
  const spelled = new Map(
    tokens.map((bytes, id) => [Array.from(bytes, (byte) => byteLetters[byte]).join(""), id]),
  );
  const vocab = { texts: [...spelled.keys()], ids: [...spelled.values()] };
  return TokenTable.of(vocab, [{ id: tokens.length, content: "<|end|>", special: true }]);
}

Deno.test("TextStream equals decoding all bytes at once, however the tokens come", () => {
  fc.assert(
    fc.property(someTokens, fc.infiniteStream(fc.nat({ max: 3 })), (tokens, sizes) => {
      const table = tableOf(tokens);
      const ids = Array.from({ length: table.size - 1 }, (_, id) => id)
        .filter((id) => table.bytesOf(id).length > 0);
      const bytes = ids.flatMap((id) => [...table.bytesOf(id)]);
      const stream = new TextStream(new TokenTexts(table));
      let text = "";
      for (let at = 0; at < ids.length;) {
        const size = sizes.next().value;
        // A control token between them changes nothing.
        text += stream.push([...ids.slice(at, at + size), tokens.length]);
        at += size;
      }
      text += stream.finish();
      const whole = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(bytes));
      assert.equal(text, whole);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("TextStream holds a character back until it is whole, and no longer", () => {
  const table = tableOf([[0x68], [0xf0, 0x9f], [0x98], [0x80], [0xc3], [0xef, 0xbb, 0xbf]]
    .map((bytes) => Uint8Array.from(bytes)));
  const stream = new TextStream(new TokenTexts(table));
  assert.deepEqual([0, 1, 2, 3, 4, 0, 5].map((id) => stream.push([id])), [
    ...["h", "", "", "😀", "", "\ufffdh", "\ufeff"],
  ]);
  assert.equal(stream.push([1]), "");
  assert.equal(stream.finish(), "\ufffd");
  assert.equal(stream.finish(), "");
});

Deno.test("TextStream writes nothing for control tokens and ids that are none", () => {
  const stream = new TextStream(new TokenTexts(tableOf([Uint8Array.of(0x61)])));
  assert.equal(stream.push([0, 1, 2, 4_000_000, 0]), "aa");
});

Deno.test("openTail() is what a streaming decoder would keep", () => {
  const bytes = fc.array(
    fc.constantFrom(...[0x41, 0x80, 0x8f, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2]
      .concat([0xe0, 0xe1, 0xed, 0xf0, 0xf1, 0xf4, 0xf5, 0xff])),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(bytes, (list) => {
      const all = Uint8Array.from(list);
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      const now = decoder.decode(all, { stream: true });
      const cut = all.length - openTail(all);
      const closed = new TextDecoder("utf-8", { ignoreBOM: true }).decode(all.subarray(0, cut));
      assert.equal(closed, now);
    }),
    { numRuns: 5000 },
  );
});
