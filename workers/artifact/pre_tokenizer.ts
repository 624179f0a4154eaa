/** What llama.cpp's name of a pre-tokenizer means in the terms of a Hugging Face `tokenizer.json`. */
export interface PreTokenizer {
  /** `pre_tokenizer` of `tokenizer.json`. */
  readonly json: Record<string, unknown>;
  /** A word that is a token as a whole is not merged from its parts. */
  readonly ignoreMerges: boolean;
  /** Prepend BOS unless the model says otherwise. */
  readonly addBos: boolean;
}

const gpt2Pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";

function modernPattern(numbers: string): string {
  return "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
    numbers +
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
}

const byteLevel = {
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: false,
};

function split(pattern: string) {
  return { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false };
}

function sequence(...pretokenizers: Record<string, unknown>[]): Record<string, unknown> {
  return { type: "Sequence", pretokenizers: [...pretokenizers, byteLevel] };
}

/** The pre-tokenizers that frontends tokenize exactly, by `tokenizer.ggml.pre`. */
export const preTokenizers: Readonly<Record<string, PreTokenizer>> = {
  "smollm": {
    json: sequence({ type: "Digits", individual_digits: true }, split(gpt2Pattern)),
    ignoreMerges: false,
    addBos: false,
  },
  "gpt-2": { json: sequence(split(gpt2Pattern)), ignoreMerges: false, addBos: false },
  "qwen2": { json: sequence(split(modernPattern("\\p{N}"))), ignoreMerges: false, addBos: false },
  "llama-bpe": {
    json: sequence(split(modernPattern("\\p{N}{1,3}"))),
    ignoreMerges: true,
    addBos: true,
  },
};
