import assert from "node:assert/strict";
import type { VocabularyArtifact } from "@pixii/wire";
import { smallArtifact } from "../testing/small_artifact.ts";
import { readTokenizer } from "./tokenizer_json.ts";

function refusal(changes: Partial<VocabularyArtifact>, tokenizer: Record<string, unknown> = {}) {
  const result = readTokenizer(smallArtifact(changes, tokenizer));
  assert.ok(!result.ok);
  assert.equal(result.error.code, "artifact_invalid");
  return result.error.message;
}

const model = smallArtifact().tokenizer.model as Record<string, unknown>;
const changed = (changes: Record<string, unknown>) =>
  refusal({}, { model: { ...model, ...changes } });

Deno.test("readTokenizer() reads vocabularies, merges in both spellings, and what comes with them", () => {
  const plain = readTokenizer(smallArtifact());
  assert.ok(plain.ok);
  assert.equal(plain.value.ignoreMerges, false);
  assert.equal(plain.value.composes, false);
  assert.deepEqual(plain.value.added.map(({ special }) => special), [true, true, true, false]);
  const merges = (model.merges as string[]).map((merge) => merge.split(" "));
  const pairs = readTokenizer(smallArtifact({}, {
    model: { ...model, merges, ignore_merges: true },
    normalizer: { type: "NFC" },
  }));
  assert.ok(pairs.ok);
  assert.equal(pairs.value.ignoreMerges, true);
  assert.equal(pairs.value.composes, true);
});

Deno.test("readTokenizer() refuses pre-tokenizers it does not know, by name", () => {
  assert.match(refusal({ pre: "tekken" }), /'tekken'; known are smollm, gpt-2, qwen2, llama-bpe$/);
  const split = (Regex: string) => ({
    pre_tokenizer: { type: "Sequence", pretokenizers: [{ type: "Split", pattern: { Regex } }] },
  });
  assert.match(refusal({ pre: "qwen2" }, split("\\p{L}+")), /not the one of 'qwen2'.*L\}/);
  const qwen = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" +
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  assert.ok(readTokenizer(smallArtifact({ pre: "qwen2" }, split(qwen))).ok);
  assert.match(refusal({ pre: "llama-bpe" }, split(qwen)), /not the one of 'llama-bpe'/);
});

Deno.test("readTokenizer() refuses what byte-level BPE has no place for", () => {
  assert.match(changed({ type: "Unigram" }), /kind is 'Unigram'/);
  assert.match(changed({ byte_fallback: true }), /byte_fallback/);
  assert.match(changed({ end_of_word_suffix: "</w>" }), /marks parts of words/);
  assert.match(refusal({}, { normalizer: { type: "Lowercase" } }), /normalizer is 'Lowercase'/);
  const added = [{ id: 1, content: "<mask>", lstrip: true }];
  assert.match(refusal({}, { added_tokens: added }), /'<mask>' is matched by rules/);
});

Deno.test("readTokenizer() refuses damage with a sentence", () => {
  assert.match(changed({ vocab: [] }), /model\.vocab/);
  assert.match(changed({ vocab: { a: -1 } }), /model\.vocab/);
  assert.match(changed({ vocab: { a: 2 ** 30 } }), /model\.vocab/);
  assert.match(changed({ vocab: {} }), /model\.vocab/);
  assert.match(changed({ merges: [["a"]] }), /model\.merges/);
  assert.match(changed({ merges: "a b" }), /model\.merges/);
  assert.match(refusal({}, { added_tokens: [{ id: "x" }] }), /tokenizer\.added_tokens\.0\.id/);
  assert.match(refusal({}, { model: null }), /tokenizer\.model/);
});
