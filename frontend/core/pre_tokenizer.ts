/** How a pre-tokenizer cuts text into words, by the name a GGUF gives it (`tokenizer.ggml.pre`). */
export interface PreTokenizer {
  readonly name: string;
  /**
   * `gpt2`: contractions in lower case, a space may lead a word. `llama3`: contractions in any case, any one character
   * that is no letter, digit or line break may lead a word, line breaks stay with the symbols before them.
   */
  readonly style: "gpt2" | "llama3";
  /** Most digits of one word. */
  readonly mostDigits: number;
  /** Each digit is cut out first, and what lies between is cut as texts of their own. */
  readonly cutsDigitsFirst: boolean;
  /** Patterns that a `tokenizer.json` may have for it, white space at their ends as it stands there. */
  readonly patterns: readonly string[];
}

const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";

/** The llama3 style with its digits, in the two spellings of "any case" that are about. */
function llama3Words(digits: string): readonly string[] {
  const rest = `|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}` +
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  return [
    `(?i:'s|'t|'re|'ve|'m|'ll|'d)${rest}`,
    `(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])${rest}`,
  ];
}

const gpt2Patterns = [gpt2Words, `${gpt2Words}|\\s+`];

/** The pre-tokenizers that are known, each as llama.cpp cuts with it. */
const known: readonly PreTokenizer[] = [
  {
    name: "smollm",
    ...{ style: "gpt2", mostDigits: 1, cutsDigitsFirst: true, patterns: gpt2Patterns },
  },
  {
    name: "gpt-2",
    ...{ style: "gpt2", mostDigits: Infinity, cutsDigitsFirst: false, patterns: gpt2Patterns },
  },
  {
    name: "qwen2",
    ...{ style: "llama3", mostDigits: 1, cutsDigitsFirst: false },
    patterns: llama3Words("\\p{N}"),
  },
  {
    name: "llama-bpe",
    ...{ style: "llama3", mostDigits: 3, cutsDigitsFirst: false },
    patterns: llama3Words("\\p{N}{1,3}"),
  },
];

/** The pre-tokenizer of a name, undefined where it is unknown. */
export function preTokenizerOf(name: string): PreTokenizer | undefined {
  return known.find((one) => one.name === name);
}

/** Names of all that are known, for people. */
export const preTokenizerNames: string = known.map((one) => one.name).join(", ");
