/**
 * A Gemma 3 of random weights for tests: every second layer sees a window of 128 tokens only, so that its KV cache is two
 * caches. Made when it is needed, in milliseconds; the repository holds no file of it.
 */
import { writeGguf } from "@pixii/workers/gguf";
import type { GgufEntry } from "@pixii/workers/gguf";
import { TensorList, vocabularyEntries } from "./micro.ts";

const shape = {
  layers: 4,
  embedding: 64,
  heads: 2,
  kvHeads: 1,
  /** A multiple of 32, so that K and V can be q8_0 too. */
  headSize: 32,
  feedForward: 128,
  context: 2048,
} as const;

/** Tokens that a layer with a window sees. */
export const microSlidingWindow = 128;

function tensorsOf(vocabSize: number) {
  const { embedding, feedForward, headSize, heads, kvHeads, layers } = shape;
  const list = new TensorList();
  const matrix = (name: string, columns: number, rows: number) =>
    list.random(name, columns, rows, 1 / Math.sqrt(columns));
  // The architecture multiplies embeddings by the root of their length.
  list.random("token_embd", embedding, vocabSize, 2 / embedding);
  list.norm("output_norm");
  for (let layer = 0; layer < layers; layer++) {
    const block = `blk.${layer}`;
    for (const name of ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"]) {
      list.norm(`${block}.${name}`);
    }
    list.norm(`${block}.attn_q_norm`, headSize);
    list.norm(`${block}.attn_k_norm`, headSize);
    matrix(`${block}.attn_q`, embedding, heads * headSize);
    matrix(`${block}.attn_k`, embedding, kvHeads * headSize);
    matrix(`${block}.attn_v`, embedding, kvHeads * headSize);
    matrix(`${block}.attn_output`, heads * headSize, embedding);
    matrix(`${block}.ffn_gate`, embedding, feedForward);
    matrix(`${block}.ffn_up`, embedding, feedForward);
    matrix(`${block}.ffn_down`, feedForward, embedding);
  }
  return list.tensors;
}

/** Bytes of the model; `text` is what its merges are learned from. */
export function microSlidingModel(text: string): Uint8Array {
  const { vocabSize, entries } = vocabularyEntries(text);
  const metadata: Record<string, GgufEntry> = {
    "general.architecture": ["text", "gemma3"],
    "general.name": ["text", "micro-sliding"],
    "general.license": ["text", "apache-2.0"],
    "general.file_type": ["u32", 1],
    "gemma3.vocab_size": ["u32", vocabSize],
    "gemma3.context_length": ["u32", shape.context],
    "gemma3.embedding_length": ["u32", shape.embedding],
    "gemma3.block_count": ["u32", shape.layers],
    "gemma3.feed_forward_length": ["u32", shape.feedForward],
    "gemma3.attention.head_count": ["u32", shape.heads],
    "gemma3.attention.head_count_kv": ["u32", shape.kvHeads],
    "gemma3.attention.key_length": ["u32", shape.headSize],
    "gemma3.attention.value_length": ["u32", shape.headSize],
    "gemma3.attention.layer_norm_rms_epsilon": ["f32", 1e-6],
    "gemma3.attention.sliding_window": ["u32", microSlidingWindow],
    "gemma3.attention.sliding_window_pattern": ["u32", 2],
    "gemma3.rope.freq_base": ["f32", 10000],
    ...entries,
  };
  return writeGguf(metadata, tensorsOf(vocabSize));
}
