import assert from "node:assert/strict";
import { Tokenizer } from "@huggingface/tokenizers";
import { loadVocabulary } from "@pixii/frontend/tokens";
import fc from "fast-check";
import { llama31, qwen3 } from "./real_tokenizers.ts";
import { areEqual, hardText, textOf } from "./token_text.ts";

/**
 * Where the two differ by intent: JavaScript's white space has U+FEFF and not U+0085, its letters and digits are those
 * of a Unicode after llama.cpp's, and its case folding takes U+017F for an s.
 */
const apart =
  /[\u0085\ufeff\u017f]|(?![\u1c89\u1c8a])[\u1c80-\u1c8f\ua7c0-\ua7ff]|[\u{10000}-\u{1efff}]/gu;

for (const read of [qwen3, llama31]) {
  Deno.test(`${read.name}: ids and texts are those of @huggingface/tokenizers`, async () => {
    const { artifact, tokenizer, config } = await read();
    const theirs = new Tokenizer(tokenizer as never, config as never);
    const ours = loadVocabulary(artifact);
    assert.ok(ours.ok);
    const options = { add_special_tokens: false };
    fc.assert(
      fc.property(hardText(), (text) => {
        const known = text.toWellFormed().replaceAll(apart, "");
        const ids = ours.value.encode(known, { parseSpecials: true });
        const expected = theirs.encode(known, options).ids;
        assert.ok(areEqual(ids, expected), `${JSON.stringify(known)}: ${ids}, not ${expected}`);
        const decoded = expected.length === 0 ? "" : theirs.decode(expected, {
          skip_special_tokens: true,
          clean_up_tokenization_spaces: false,
        });
        assert.equal(textOf(ours.value, ids), decoded);
      }),
      { numRuns: 4_000 },
    );
  });
}
