/**
 * Writes `models/micro.gguf`: a llama of random weights with a real byte-level BPE vocabulary. For tests: it loads in
 * milliseconds and says nonsense. The same bytes on every machine: whole numbers, square roots and IEEE rounding only.
 *
 *     deno run -A models/micro.ts
 */
import { writeGguf } from "@pixii/workers/gguf";
import type { GgufEntry, GgufTensorData } from "@pixii/workers/gguf";
import { byteLetters, learnMerges } from "./merges.ts";

/** Shape of the model. */
const shape = {
  layers: 2,
  embedding: 64,
  heads: 4,
  kvHeads: 2,
  feedForward: 128,
  context: 2048,
} as const;
const headSize = shape.embedding / shape.heads;
const seed = 0x5eed;
const mergeCount = 400;
const specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] as const;

const chatTemplate = "{% for message in messages %}" +
  "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

/** A well-mixed u32 of (tensor, index, lane): the mix of MurmurHash3 over a counter, so no draw depends on another. */
function mix(tensor: number, index: number, lane: number): number {
  let h = seed;
  for (const word of [tensor, index, lane]) {
    h = Math.imul(h ^ word, 0x9e3779b1);
    h ^= h >>> 16;
    h = Math.imul(h, 0x85ebca6b);
    h ^= h >>> 13;
    h = Math.imul(h, 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h >>> 0;
}

/** Nearly normal with mean 0 and variance 1: eight 16-bit uniforms summed, which is exact in every engine. */
function normal(tensor: number, index: number): number {
  let sum = 0;
  for (let lane = 0; lane < 4; lane++) {
    const word = mix(tensor, index, lane);
    sum += (word & 0xffff) + (word >>> 16);
  }
  return (sum - 8 * 32767.5) / (65536 * Math.sqrt(8 / 12));
}

/** Tensors of random weights, each drawn by its place in the list. */
export class TensorList {
  readonly tensors: GgufTensorData[] = [];

  /** Weights of this deviation. */
  random(name: string, columns: number, rows: number, deviation: number): void {
    const tensor = this.tensors.length;
    const values = new Float32Array(columns * rows);
    for (let i = 0; i < values.length; i++) values[i] = deviation * normal(tensor, i);
    this.tensors.push({ name: `${name}.weight`, shape: [columns, rows], type: "f16", values });
  }

  /** Weights of a norm: ones. */
  norm(name: string, size: number = shape.embedding): void {
    const values = new Float32Array(size).fill(1);
    this.tensors.push({ name: `${name}.weight`, shape: [values.length], type: "f32", values });
  }
}

function tensorsOf(vocabSize: number): readonly GgufTensorData[] {
  const { embedding, feedForward, kvHeads, layers } = shape;
  const list = new TensorList();
  const fanIn = (columns: number) => 1 / Math.sqrt(columns);
  const matrix = (name: string, columns: number, rows: number) =>
    list.random(name, columns, rows, fanIn(columns));
  list.random("token_embd", embedding, vocabSize, 2 * fanIn(embedding));
  list.norm("output_norm");
  for (let layer = 0; layer < layers; layer++) {
    const block = `blk.${layer}`;
    list.norm(`${block}.attn_norm`);
    matrix(`${block}.attn_q`, embedding, embedding);
    matrix(`${block}.attn_k`, embedding, kvHeads * headSize);
    matrix(`${block}.attn_v`, embedding, kvHeads * headSize);
    matrix(`${block}.attn_output`, embedding, embedding);
    list.norm(`${block}.ffn_norm`);
    matrix(`${block}.ffn_gate`, embedding, feedForward);
    matrix(`${block}.ffn_up`, embedding, feedForward);
    matrix(`${block}.ffn_down`, feedForward, embedding);
  }
  return list.tensors;
}

/** The metadata of a byte-level BPE vocabulary; `text` is what its merges are learned from. */
export function vocabularyEntries(
  text: string,
): { readonly vocabSize: number; readonly entries: Readonly<Record<string, GgufEntry>> } {
  const merges = learnMerges(text, mergeCount);
  const pieces = [...byteLetters, ...merges.map(([left, right]) => left + right)];
  const tokens = [...specials, ...pieces];
  const entries: Record<string, GgufEntry> = {
    "tokenizer.ggml.model": ["text", "gpt2"],
    "tokenizer.ggml.pre": ["text", "smollm"],
    "tokenizer.ggml.tokens": ["texts", tokens],
    "tokenizer.ggml.token_type": [
      "i32s",
      tokens.map((_, id) => id < specials.length ? 3 : 1),
    ],
    "tokenizer.ggml.merges": ["texts", merges.map((pair) => pair.join(" "))],
    "tokenizer.ggml.bos_token_id": ["u32", 1],
    "tokenizer.ggml.eos_token_id": ["u32", 2],
    "tokenizer.ggml.unknown_token_id": ["u32", 0],
    "tokenizer.ggml.padding_token_id": ["u32", 2],
    "tokenizer.ggml.add_bos_token": ["bool", false],
    "tokenizer.chat_template": ["text", chatTemplate],
  };
  return { vocabSize: tokens.length, entries };
}

/** Bytes of the model; `text` is what its merges are learned from. */
export function microModel(text: string): Uint8Array {
  const { vocabSize, entries } = vocabularyEntries(text);
  const metadata: Record<string, GgufEntry> = {
    "general.architecture": ["text", "llama"],
    "general.name": ["text", "micro"],
    "general.license": ["text", "apache-2.0"],
    "general.file_type": ["u32", 1],
    "llama.vocab_size": ["u32", vocabSize],
    "llama.context_length": ["u32", shape.context],
    "llama.embedding_length": ["u32", shape.embedding],
    "llama.block_count": ["u32", shape.layers],
    "llama.feed_forward_length": ["u32", shape.feedForward],
    "llama.attention.head_count": ["u32", shape.heads],
    "llama.attention.head_count_kv": ["u32", shape.kvHeads],
    "llama.attention.layer_norm_rms_epsilon": ["f32", 1e-5],
    "llama.rope.dimension_count": ["u32", headSize],
    ...entries,
  };
  return writeGguf(metadata, tensorsOf(vocabSize));
}

/** Bytes of the model as the repository has it. */
export async function microModelOfRepository(): Promise<Uint8Array> {
  return microModel(await Deno.readTextFile(new URL("../LICENSE", import.meta.url)));
}

if (import.meta.main) {
  const bytes = await microModelOfRepository();
  await Deno.writeFile(new URL("./micro.gguf", import.meta.url), bytes);
  console.log(`micro.gguf: ${bytes.byteLength} bytes`);
}
