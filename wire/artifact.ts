import { z } from "zod";
import { u32 } from "./field.ts";

/**
 * The vocabulary artifact: gzip of this object as JSON. Made by a worker from its model, content-addressed by the
 * sha256 of the gzip bytes, cached by frontends.
 */
export const vocabularyArtifact = z.object({
  version: z.literal(1),
  /** Content of a Hugging Face `tokenizer.json`. */
  tokenizer: z.record(z.string(), z.unknown()),
  /** Content of a `tokenizer_config.json`: `bos_token`, `eos_token`, `add_bos_token`, `chat_template` ... */
  tokenizerConfig: z.record(z.string(), z.unknown()),
  /** Chat template in Jinja; absent = the model has none and /v1/chat/completions is refused. */
  chatTemplate: z.string().optional(),
  bosToken: z.string().optional(),
  eosToken: z.string().optional(),
  /** Prepend BOS to prompts of /v1/completions, as the model says. */
  addBos: z.boolean(),
  eosTokenIds: z.array(u32),
  /** Pre-tokenizer as GGUF names it: `smollm`, `gpt-2`, `qwen2`, `llama-bpe`. */
  pre: z.string().max(64),
});
/** The vocabulary artifact. */
export type VocabularyArtifact = z.infer<typeof vocabularyArtifact>;
