import assert from "node:assert/strict";
import { readGguf } from "../gguf/reader.ts";
import { writeGguf } from "../gguf/writer.ts";
import type { GgufEntry } from "../gguf/writer.ts";
import { LlamaTokenizer } from "../llama/tokenizer_testing.ts";
import { tokenKinds } from "./token_kinds.ts";

/** Text, and GGUF's type of a token. */
type Token = readonly [text: string, type: number];

/** Writes a vocabulary, and gives its kinds as they are read here and as llama.cpp treats each. */
async function kindsOf(tokens: readonly Token[], more: Record<string, GgufEntry> = {}) {
  const path = await Deno.makeTempFile({ suffix: ".gguf" });
  try {
    const bytes = writeGguf({
      "general.architecture": ["text", "llama"],
      "tokenizer.ggml.model": ["text", "gpt2"],
      "tokenizer.ggml.pre": ["text", "gpt-2"],
      "tokenizer.ggml.tokens": ["texts", tokens.map(([text]) => text)],
      "tokenizer.ggml.token_type": ["i32s", tokens.map(([, type]) => type)],
      "tokenizer.ggml.merges": ["texts", ["a b"]],
      "tokenizer.ggml.bos_token_id": ["u32", 0],
      "tokenizer.ggml.eos_token_id": ["u32", 0],
      ...more,
    }, []);
    await Deno.writeFile(path, bytes);
    const gguf = await readGguf(path);
    assert.ok(gguf.ok, JSON.stringify(gguf));
    using llama = await LlamaTokenizer.open(path);
    const theirs = tokens.map(([text], id) => {
      const isOne = (parseSpecials: boolean) => llama.encode(text, { parseSpecials })[0] === id;
      if (isOne(false)) return "user-defined";
      return isOne(true) ? "control" : "normal";
    });
    return { ours: tokenKinds(gguf.value), theirs };
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("tokenKinds() takes types as llama.cpp does", async () => {
  const { ours, theirs } = await kindsOf([
    ["<s>", 3],
    ["<unk>", 2],
    ["<user>", 4],
    ["<odd>", 5],
    ["<plain>", 1],
  ]);
  assert.deepEqual(ours, ["control", "control", "user-defined", "normal", "normal"]);
  assert.deepEqual(ours, theirs);
});

Deno.test("tokenKinds() corrects types by spellings as llama.cpp does", async () => {
  const { ours, theirs } = await kindsOf([
    ["<s>", 3],
    ["<|im_end|>", 1],
    ["<|endoftext|>", 4],
    ["<|fim_prefix|>", 4],
    ["<|fim_pad|>", 4],
    ["<|repo_name|>", 4],
    ["<|file_sep|>", 1],
    ["<|channel|>", 3],
    ["</s>", 1],
  ]);
  assert.deepEqual(ours, theirs);
  assert.deepEqual(ours, [
    ...Array.from({ length: 7 }, () => "control"),
    "user-defined",
    "control",
  ]);
});

Deno.test("tokenKinds() leaves infill tokens alone that a key names others for", async () => {
  const tokens: readonly Token[] = [["<s>", 3], ["<|fim_prefix|>", 4], ["<|my_prefix|>", 4]];
  const { ours, theirs } = await kindsOf(tokens, {
    "tokenizer.ggml.fim_pre_token_id": ["u32", 2],
  });
  assert.deepEqual(ours, ["control", "user-defined", "user-defined"]);
  assert.deepEqual(ours, theirs);
});

Deno.test("tokenKinds() takes <|end|> for the end of a message where others end the generation", async () => {
  const { ours, theirs } = await kindsOf([
    ...[["<s>", 3], ["<|end|>", 3], ["<|return|>", 3], ["<|call|>", 3]] as Token[],
  ]);
  assert.deepEqual(ours, ["control", "user-defined", "control", "control"]);
  assert.deepEqual(ours, theirs);
});
