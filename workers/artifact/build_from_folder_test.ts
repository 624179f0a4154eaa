import assert from "node:assert/strict";
import type { VocabularyArtifact } from "@pixii/wire";
import { readGguf } from "../gguf/reader.ts";
import { bundledModel } from "../testing/models.ts";
import { buildArtifact } from "./build_artifact.ts";
import { buildFolderArtifact } from "./build_from_folder.ts";
import { preTokenizerName } from "./pre_tokenizer_name.ts";

async function microVocabulary(): Promise<VocabularyArtifact> {
  const gguf = await readGguf(bundledModel("micro.gguf"));
  assert.ok(gguf.ok);
  const built = await buildArtifact(gguf.value);
  assert.ok(built.ok);
  // As it comes back from the wire.
  return JSON.parse(JSON.stringify(built.value.vocabulary));
}

const micro = await microVocabulary();
const qwenWords =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const byteLevel = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
const split = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated" });
const sequence = (...pretokenizers: unknown[]) => ({ type: "Sequence", pretokenizers });

/** Builds a folder of these files; an object is written as JSON. */
async function build(files: Readonly<Record<string, unknown>>) {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, content] of Object.entries(files)) {
      const text = typeof content === "string" ? content : JSON.stringify(content);
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    return await buildFolderArtifact(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const tokenizer = micro.tokenizer as { model: { merges: string[] } };

Deno.test("buildFolderArtifact() makes of a GGUF's own files what the GGUF gives", async () => {
  const built = await build({
    "tokenizer.json": micro.tokenizer,
    "tokenizer_config.json": { ...micro.tokenizerConfig, model_max_length: 2048 },
  });
  assert.ok(built.ok, JSON.stringify(built));
  const { vocabulary, contextLength, digest, bytes } = built.value;
  const { tokenizerConfig: _config, ...rest } = vocabulary;
  const { tokenizerConfig: _other, ...wanted } = micro;
  assert.deepEqual(rest, wanted);
  assert.equal(contextLength, 2048);
  assert.equal(digest.length, 64);
  assert.ok(bytes.length > 1000);
});

Deno.test("buildFolderArtifact() reads what new files spell otherwise", async () => {
  const built = await build({
    "tokenizer.json": {
      ...micro.tokenizer,
      pre_tokenizer: sequence(split(qwenWords), byteLevel),
      model: { ...tokenizer.model, merges: tokenizer.model.merges.map((one) => one.split(" ")) },
    },
    "tokenizer_config.json": {
      bos_token: { content: "<|im_start|>" },
      eos_token: { content: "<|im_end|>" },
      model_max_length: 1e30,
      chat_template: [{ name: "tool_use", template: "no" }, { name: "default", template: "old" }],
    },
    "chat_template.jinja": "new",
    "generation_config.json": { eos_token_id: [2, 77] },
  });
  assert.ok(built.ok, JSON.stringify(built));
  const { vocabulary, contextLength } = built.value;
  assert.equal(contextLength, undefined);
  assert.deepEqual(
    [vocabulary.pre, vocabulary.addBos, vocabulary.bosToken, vocabulary.eosToken],
    ["qwen2", false, "<|im_start|>", "<|im_end|>"],
  );
  assert.equal(vocabulary.chatTemplate, "new");
  assert.deepEqual(vocabulary.eosTokenIds, [0, 2, 77]);
  const { merges } = (vocabulary.tokenizer as typeof tokenizer).model;
  assert.deepEqual(merges, tokenizer.model.merges);
});

Deno.test("buildFolderArtifact() refuses what frontends cannot tokenize, in one sentence", async () => {
  const cases: [Record<string, unknown>, RegExp][] = [
    [{}, /has no tokenizer\.json/],
    [{ "tokenizer.json": "{" }, /Cannot read .*tokenizer\.json/],
    [{ "tokenizer.json": "3" }, /must hold a JSON object/],
    [{ "tokenizer.json": {} }, /its tokenizer is missing; byte-level BPE/],
    [{ "tokenizer.json": { model: { type: "Unigram", vocab: [] } } }, /its tokenizer is Unigram/],
    [
      { "tokenizer.json": { ...micro.tokenizer, pre_tokenizer: sequence(split("x"), byteLevel) } },
      /pre-tokenizer is not known .*"Regex":"x".*supported are smollm, gpt-2, qwen2, llama-bpe/,
    ],
    [{ "tokenizer.json": micro.tokenizer, "tokenizer_config.json": "]" }, /tokenizer_config/],
  ];
  for (const [files, message] of cases) {
    const built = await build(files);
    assert.ok(!built.ok, `${message}`);
    assert.equal(built.error.code, "invalid_request");
    assert.match(built.error.message, message);
  }
});

Deno.test("preTokenizerName() knows the four by their steps and their pattern", () => {
  const digits = { type: "Digits", individual_digits: true };
  const gpt2 = { type: "ByteLevel", add_prefix_space: false };
  assert.equal(preTokenizerName(gpt2), "gpt-2");
  assert.equal(preTokenizerName(sequence(digits, gpt2)), "smollm");
  assert.equal(preTokenizerName(sequence(split(qwenWords), byteLevel)), "qwen2");
  const llama = qwenWords.replace("|\\p{N}|", "|\\p{N}{1,3}|");
  assert.equal(preTokenizerName(sequence(split(llama), byteLevel)), "llama-bpe");
  for (
    const other of [
      undefined,
      null,
      "x",
      byteLevel,
      { type: "Metaspace" },
      sequence(split("\\s+"), byteLevel),
      sequence(digits, split(qwenWords), byteLevel),
      sequence(gpt2, { type: "Punctuation" }),
    ]
  ) assert.equal(preTokenizerName(other), undefined, JSON.stringify(other));
});
