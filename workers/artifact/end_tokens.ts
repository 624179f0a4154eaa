import { ggufList, ggufNumber } from "../gguf/reader.ts";
import type { Gguf } from "../gguf/reader.ts";

/** Spellings that llama.cpp takes for an end of generation wherever a vocabulary has them. */
const endSpellings: ReadonlySet<string> = new Set([
  "<|eot_id|>",
  "<|im_end|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<end_of_turn>",
  "<|endoftext|>",
  "<|eom_id|>",
  "<EOT>",
  "<|end_of_text|>",
  "<end_of_utterance>",
  "<|fim_pad|>",
  "<|fim_repo|>",
  "<|repo_name|>",
  "<reponame>",
  "<|file_sep|>",
]);

/** True for a special token's spelling that ends a generation. */
export function isEndSpelling(text: string): boolean {
  return endSpellings.has(text);
}

/** Ids of every token that ends a generation, ascending: the named ones and the known spellings. */
export function endTokenIds(gguf: Gguf): number[] {
  const ids = new Set<number>();
  const tokens = ggufList<string>(gguf, "tokenizer.ggml.tokens");
  for (const name of ["eos", "eot", "eom", "fim_pad", "fim_rep", "fim_sep"]) {
    const id = ggufNumber(gguf, `tokenizer.ggml.${name}_token_id`);
    if (id !== undefined && Object.hasOwn(tokens, id)) ids.add(id);
  }
  const types = ggufList<number>(gguf, "tokenizer.ggml.token_type");
  tokens.forEach((text, id) => {
    const isSpecial = types[id] === 3 || types[id] === 4;
    if (isSpecial && isEndSpelling(text)) ids.add(id);
  });
  return [...ids].sort((a, b) => a - b);
}
