import assert from "node:assert/strict";
import { loadVocabulary } from "@pixii/frontend/tokens";
import type { Vocabulary } from "@pixii/frontend/tokens";
import { readGguf, writeGguf } from "@pixii/workers/gguf";
import { buildArtifact, bundledModel, LlamaTokenizer } from "@pixii/workers/testing";
import fc from "fast-check";
import { smollm2Path } from "@pixii/workers/testing";
import { llama31, qwen3 } from "./real_tokenizers.ts";
import type { RealTokenizer } from "./real_tokenizers.ts";
import { areEqual, hardText, textOf } from "./token_text.ts";

/** A model's vocabulary as a frontend gets it, and llama.cpp's own. */
interface Both {
  readonly ours: Vocabulary;
  readonly theirs: LlamaTokenizer;
}

async function bothOf(path: string): Promise<Both> {
  const gguf = await readGguf(path);
  assert.ok(gguf.ok);
  const artifact = await buildArtifact(gguf.value);
  assert.ok(artifact.ok, JSON.stringify(artifact));
  const ours = loadVocabulary(artifact.value.vocabulary);
  assert.ok(ours.ok, JSON.stringify(ours));
  return { ours: ours.value, theirs: await LlamaTokenizer.open(path) };
}

const root = new URL("../", import.meta.url);
const prose = ["LICENSE", "README.md", "models/micro.ts", "deno.lock"]
  .map((file) => Deno.readTextFileSync(new URL(file, root))).join("<|im_end|>\n");

/** A GGUF of a tokenizer without weights, as llama.cpp's converter writes its vocabulary. */
function ggufOf({ artifact, tokenizer }: RealTokenizer): Uint8Array {
  const { vocab, merges } = tokenizer.model as {
    readonly vocab: Record<string, number>;
    readonly merges: readonly (string | readonly string[])[];
  };
  const added = tokenizer.added_tokens as readonly {
    readonly id: number;
    readonly content: string;
    readonly special: boolean;
  }[];
  const tokens: string[] = [];
  const types: number[] = [];
  for (const [text, id] of Object.entries(vocab)) [tokens[id], types[id]] = [text, 1];
  for (const { id, content, special } of added) {
    [tokens[id], types[id]] = [content, special ? 3 : 4];
  }
  return writeGguf({
    "general.architecture": ["text", "llama"],
    "tokenizer.ggml.model": ["text", "gpt2"],
    "tokenizer.ggml.pre": ["text", artifact.pre],
    "tokenizer.ggml.tokens": ["texts", tokens],
    "tokenizer.ggml.token_type": ["i32s", types],
    "tokenizer.ggml.merges": [
      "texts",
      merges.map((merge) => typeof merge === "string" ? merge : merge.join(" ")),
    ],
    "tokenizer.ggml.bos_token_id": ["u32", tokens.indexOf(artifact.bosToken ?? "<|endoftext|>")],
    "tokenizer.ggml.eos_token_id": ["u32", tokens.indexOf(artifact.eosToken!)],
  }, []);
}

function mustBeEqual(
  { ours, theirs }: Both,
  text: string,
  options: { readonly parseSpecials: boolean },
): Uint32Array {
  const ids = ours.encode(text, options);
  const expected = theirs.encode(text, options);
  assert.ok(
    areEqual(ids, expected),
    `${JSON.stringify(text).slice(0, 400)}: ${ids.slice(0, 80)}, not ${expected.slice(0, 80)}`,
  );
  return ids;
}

/** Planes that have characters, but for the private ones. */
const planes = [[0, 0xd800], [0xe000, 0x32400], [0xe0000, 0xe0200]] as const;
const blockSize = 0x400;

/** Every code point in places where its class decides: behind and before letters, digits, spaces, symbols, itself. */
function* codePointTexts(): Iterable<string> {
  for (const [first, end] of planes) {
    for (let block = first; block < end; block += blockSize) {
      const chars = Array.from({ length: blockSize }, (_, i) => String.fromCodePoint(block + i));
      yield chars.map((char) => `a${char}b${char}1${char}${char} ${char}'s${char}\n`).join("");
    }
  }
}

/** Characters of a text whose bytes the vocabulary has; llama.cpp loses the others too. */
function knownPart(vocabulary: Vocabulary): (text: string) => string {
  const known = new Set<number>();
  for (let id = 0; id < vocabulary.size; id++) {
    const bytes = vocabulary.tokenBytes(id);
    if (bytes.length === 1) known.add(bytes[0]);
  }
  const encoder = new TextEncoder();
  return (text) =>
    [...text].filter((char) => encoder.encode(char).every((byte) => known.has(byte))).join("");
}

function mustMatchAll(both: Both): void {
  const { ours, theirs } = both;
  assert.equal(ours.size, theirs.size);
  fc.assert(
    fc.property(hardText(), fc.boolean(), (text, parseSpecials) => {
      mustBeEqual(both, text.toWellFormed(), { parseSpecials });
    }),
    { numRuns: 3_000 },
  );
  // Long enough for many chunks: tokenized, tokenized and kept, looked up.
  for (let time = 0; time < 3; time++) mustBeEqual(both, prose, { parseSpecials: true });
  for (const unit of ["a", " ", "\n", "中", "ab", "-", "<|", "\u00a0", "1", "'"]) {
    mustBeEqual(both, unit.repeat(3_000), { parseSpecials: true });
  }
  for (let id = 0; id < theirs.size; id++) {
    const [own, expected] = [ours.tokenBytes(id), theirs.tokenBytes(id, { special: true })];
    assert.ok(areEqual(own, expected), `token ${id}: ${own}, not ${expected}`);
    const isHidden = theirs.tokenBytes(id, { special: false }).length === 0;
    assert.equal(ours.isSpecial(id), isHidden, `token ${id}`);
  }
}

async function mustMatchReal(
  tokenizer: RealTokenizer,
  check: (both: Both) => void,
): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".gguf" });
  try {
    await Deno.writeFile(path, ggufOf(tokenizer));
    const both = await bothOf(path);
    using _theirs = both.theirs;
    check(both);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("micro.gguf: ids are those of llama.cpp", async () => {
  const both = await bothOf(bundledModel("micro.gguf"));
  using _theirs = both.theirs;
  mustMatchAll(both);
});

for (const pre of ["smollm", "gpt-2", "qwen2", "llama-bpe"]) {
  Deno.test(`${pre}: every code point is of llama.cpp's class`, async () => {
    const gguf = await readGguf(bundledModel("micro.gguf"));
    assert.ok(gguf.ok);
    const micro = await buildArtifact(gguf.value);
    assert.ok(micro.ok);
    const artifact = { ...micro.value.vocabulary, pre };
    const { tokenizer } = artifact;
    await mustMatchReal({ name: pre, config: {}, artifact, tokenizer }, (both) => {
      for (const text of codePointTexts()) mustBeEqual(both, text, { parseSpecials: false });
    });
  });
}

const smollm2 = smollm2Path();

Deno.test({
  name: "SmolLM2: ids are those of llama.cpp, and decoding them gives the text back",
  ignore: smollm2 === undefined,
  fn: async () => {
    const both = await bothOf(smollm2!);
    using _theirs = both.theirs;
    mustMatchAll(both);
    const knownOf = knownPart(both.ours);
    fc.assert(
      fc.property(hardText(), (text) => {
        const known = knownOf(text.toWellFormed());
        const ids = both.ours.encode(known, { parseSpecials: false });
        assert.equal(textOf(both.ours, ids), known);
      }),
      { numRuns: 2_000 },
    );
  },
});

Deno.test("Qwen3: ids are those of llama.cpp", async () => {
  await mustMatchReal(await qwen3(), mustMatchAll);
});

Deno.test("Llama 3.1: ids are those of llama.cpp", async () => {
  await mustMatchReal(await llama31(), mustMatchAll);
});
