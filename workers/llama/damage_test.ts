import assert from "node:assert/strict";
import { readGguf, writeGguf } from "../gguf/mod.ts";
import type { GgufEntry, GgufTensorData } from "../gguf/mod.ts";
import { bundledModel } from "../testing/models.ts";
import { StreamCollector } from "../stream_collector_testing.ts";
import { openLlama, refusalOfLlama } from "./open_testing.ts";

const tokens = ["<|end|>", "a", "b", "c", "ab", "Ġ", "Ċ", "d"];

/** Metadata of a model that is too small to say anything, but complete. */
function metadata(): Record<string, GgufEntry> {
  return {
    "general.architecture": ["text", "llama"],
    "llama.vocab_size": ["u32", tokens.length],
    "llama.context_length": ["u32", 256],
    "llama.embedding_length": ["u32", 32],
    "llama.block_count": ["u32", 1],
    "llama.feed_forward_length": ["u32", 32],
    "llama.attention.head_count": ["u32", 2],
    "llama.attention.head_count_kv": ["u32", 1],
    "llama.attention.layer_norm_rms_epsilon": ["f32", 1e-5],
    "llama.rope.dimension_count": ["u32", 16],
    "tokenizer.ggml.model": ["text", "gpt2"],
    "tokenizer.ggml.pre": ["text", "smollm"],
    "tokenizer.ggml.tokens": ["texts", tokens],
    "tokenizer.ggml.token_type": ["i32s", tokens.map((_, id) => id === 0 ? 3 : 1)],
    "tokenizer.ggml.merges": ["texts", ["a b"]],
    "tokenizer.ggml.eos_token_id": ["u32", 0],
  };
}

function tensors(): GgufTensorData[] {
  const matrix = (name: string, columns: number, rows: number): GgufTensorData => ({
    name: `${name}.weight`,
    shape: [columns, rows],
    type: "f32",
    values: Float32Array.from({ length: columns * rows }, (_, i) => Math.sin(i + 1) / 8),
  });
  const norm = (name: string): GgufTensorData => ({
    name: `${name}.weight`,
    shape: [32],
    type: "f32",
    values: new Float32Array(32).fill(1),
  });
  return [
    matrix("token_embd", 32, tokens.length),
    norm("output_norm"),
    norm("blk.0.attn_norm"),
    matrix("blk.0.attn_q", 32, 32),
    matrix("blk.0.attn_k", 32, 16),
    matrix("blk.0.attn_v", 32, 16),
    matrix("blk.0.attn_output", 32, 32),
    norm("blk.0.ffn_norm"),
    matrix("blk.0.ffn_gate", 32, 32),
    matrix("blk.0.ffn_up", 32, 32),
    matrix("blk.0.ffn_down", 32, 32),
  ];
}

interface Damage {
  readonly what: string;
  readonly bytes: () => Uint8Array;
  readonly says: RegExp;
}

const without = (key: string) => {
  const { [key]: _, ...rest } = metadata();
  return rest;
};
const withEntry = (key: string, entry: GgufEntry) =>
  writeGguf({ ...metadata(), [key]: entry }, tensors());
const micro = () => Deno.readFileSync(bundledModel("micro.gguf"));

/** The first eight bytes after magic and version hold the number of tensors, the next eight that of the values. */
function withCount(at: 8 | 16, count: bigint): Uint8Array {
  const bytes = micro();
  new DataView(bytes.buffer).setBigUint64(at, count, true);
  return bytes;
}

const damages: readonly Damage[] = [
  { what: "an empty file", bytes: () => new Uint8Array(), says: /ends inside its header/ },
  { what: "another kind of file", bytes: () => micro().fill(7, 0, 4), says: /begin with GGUF/ },
  {
    what: "another version",
    bytes: () => micro().fill(9, 4, 5),
    says: /version 9; 2 and 3 are known/,
  },
  { what: "half a header", bytes: () => micro().slice(0, 3000), says: /it (claims|ends)/ },
  {
    what: "half its weights",
    bytes: () => micro().slice(0, micro().length >> 1),
    says: /ends inside its weights/,
  },
  { what: "2^60 tensors", bytes: () => withCount(8, 1n << 60n), says: /it (claims|holds)/ },
  { what: "2^40 values", bytes: () => withCount(16, 1n << 40n), says: /it claims/ },
  {
    what: "an unknown architecture",
    bytes: () => {
      const entries = Object.entries(metadata()).map(([key, entry]) =>
        [key.replace(/^llama\./, "perceptron."), entry] as const
      );
      const renamed = Object.fromEntries(entries);
      return writeGguf(
        { ...renamed, "general.architecture": ["text", "perceptron"] },
        tensors(),
      );
    },
    says: /unknown model architecture.*use another model/,
  },
  {
    what: "an unknown pre-tokenizer",
    bytes: () => withEntry("tokenizer.ggml.pre", ["text", "tekken"]),
    says: /its pre-tokenizer is tekken; supported are smollm, gpt-2, qwen2, llama-bpe/,
  },
  {
    what: "a pre-tokenizer with the name of a method",
    bytes: () => withEntry("tokenizer.ggml.pre", ["text", "toString"]),
    says: /its pre-tokenizer is toString/,
  },
  {
    what: "no pre-tokenizer",
    bytes: () => writeGguf(without("tokenizer.ggml.pre"), tensors()),
    says: /its pre-tokenizer is missing/,
  },
  {
    what: "no tokenizer",
    bytes: () => writeGguf(without("tokenizer.ggml.model"), tensors()),
    says: /its tokenizer kind is missing.*byte-level BPE/,
  },
  {
    what: "another kind of tokenizer",
    bytes: () => withEntry("tokenizer.ggml.model", ["text", "llama"]),
    says: /its tokenizer kind is llama/,
  },
  {
    what: "no tokens",
    bytes: () => writeGguf(without("tokenizer.ggml.tokens"), tensors()),
    says: /no tokens/,
  },
  {
    what: "numbers for tokens",
    bytes: () => withEntry("tokenizer.ggml.tokens", ["i32s", [1, 2, 3]]),
    says: /is not text; download it again/,
  },
  {
    what: "a number that must be a flag",
    bytes: () => withEntry("tokenizer.ggml.add_bos_token", ["u32", 7]),
    says: /add_bos_token is 7, not a flag/,
  },
  {
    what: "no sizes",
    bytes: () => writeGguf(without("llama.attention.head_count"), tensors()),
    says: /lacks the sizes of its attention/,
  },
  {
    what: "a missing tensor",
    bytes: () => writeGguf(metadata(), tensors().slice(0, -1)),
    says: /llama\.cpp refuses it \(.*ffn_down.*\); download it again/,
  },
  {
    what: "a tensor of another shape",
    bytes: () =>
      writeGguf(
        metadata(),
        tensors().map((one) =>
          one.name === "blk.0.attn_q.weight"
            ? { ...one, shape: [16, 32], values: one.values.slice(512) }
            : one
        ),
      ),
    says: /llama\.cpp refuses it/,
  },
  {
    what: "weights that are not numbers",
    bytes: () => {
      const broken = tensors();
      broken[3].values[5] = NaN;
      return writeGguf(metadata(), broken);
    },
    says: /llama\.cpp refuses it \(.*(nan|invalid).*\)/i,
  },
];

for (const { what, bytes, says } of damages) {
  Deno.test(`openLlamaEngine() refuses a model with ${what} in one sentence`, async () => {
    const path = await Deno.makeTempFile({ suffix: ".gguf" });
    try {
      await Deno.writeFile(path, bytes());
      const message = await refusalOfLlama(path, { ctx: 0 });
      assert.match(message, says);
      assert.match(message, /^Cannot [^\n]+(again|another|use|with|supported|file)[^\n]*$/);
    } finally {
      await Deno.remove(path);
    }
  });
}

Deno.test("openLlamaEngine() refuses what is not there and what is a folder", async () => {
  const folder = await Deno.makeTempDir();
  try {
    assert.match(await refusalOfLlama(`${folder}/none.gguf`), /^Cannot load .*none\.gguf: /);
    assert.match(await refusalOfLlama(folder), /it is not a file/);
  } finally {
    await Deno.remove(folder);
  }
});

Deno.test("openLlamaEngine() refuses more context than the model or the memory has", async () => {
  const path = bundledModel("micro.gguf");
  assert.match(
    await refusalOfLlama(path, { ctx: 4096 }),
    /trained for 2048; lower --ctx/,
  );
  assert.match(
    await refusalOfLlama(path, { ctx: 2048, kvTokens: 2 ** 40 }),
    /it takes \d+\.\d GiB, \d+\.\d GiB are free; lower --ctx or --kv-tokens/,
  );
});

Deno.test("a model that gives no finite logit fails its streams, one by one, and the engine goes on", async () => {
  const broken = tensors();
  // Finite weights, so they load; but what the last norm gives overflows, both ways, and the sums are no numbers.
  broken[1].values.fill(3e38);
  const path = await Deno.makeTempFile({ suffix: ".gguf" });
  try {
    await Deno.writeFile(path, writeGguf(metadata(), broken));
    await using engine = await openLlama(path, { ctx: 0, kvTokens: 0 });
    const streams = new StreamCollector(engine);
    for (let i = 0; i < 2; i++) {
      const { tokens, end } = await streams.run({ tokens: [1, 2, 3] });
      assert.deepEqual([tokens.length, end.error?.code], [0, "engine_failed"]);
      assert.match(end.error!.message, /no finite logit; its weights may be damaged/);
    }
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("the small complete model of these tests loads", async () => {
  const path = await Deno.makeTempFile({ suffix: ".gguf" });
  try {
    await Deno.writeFile(path, writeGguf(metadata(), tensors()));
    const gguf = await readGguf(path);
    assert.ok(gguf.ok && gguf.value.tensors.length === 11);
    await assert.rejects(refusalOfLlama(path, { ctx: 0 }), /opens/);
  } finally {
    await Deno.remove(path);
  }
});
