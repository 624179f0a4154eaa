/** The steps of a `tokenizer.json`'s pre-tokenizer, as far as they tell it apart. */
interface Step {
  readonly type?: string;
  readonly pretokenizers?: readonly Step[];
  readonly pattern?: { readonly Regex?: string };
  readonly individual_digits?: boolean;
  readonly use_regex?: boolean;
}

/** GPT-2's words, with or without what is left of white space. */
const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)";

/** Contractions in any case, in the two spellings that are about. */
const anyCase = [
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)",
  "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
];

function modernWords(digits: string): readonly string[] {
  const rest = `|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}` +
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  return anyCase.map((contractions) => contractions + rest);
}

const namesByPattern: ReadonlyMap<string, string> = new Map([
  ...modernWords("\\p{N}").map((pattern) => [pattern, "qwen2"] as const),
  ...modernWords("\\p{N}{1,3}").map((pattern) => [pattern, "llama-bpe"] as const),
  [gpt2Words, "gpt-2"],
  [`${gpt2Words}|\\s+`, "gpt-2"],
]);

function flat(step: Step): readonly Step[] {
  return step.type === "Sequence" ? (step.pretokenizers ?? []).flatMap(flat) : [step];
}

/**
 * llama.cpp's name of the pre-tokenizer of a Hugging Face `tokenizer.json`, by its steps and its pattern; undefined
 * where it is none that frontends know.
 */
export function preTokenizerName(preTokenizer: unknown): string | undefined {
  if (typeof preTokenizer !== "object" || preTokenizer === null) return undefined;
  let base: string | undefined;
  let cutsDigits = false;
  for (const step of flat(preTokenizer as Step)) {
    if (step.type === "Digits") cutsDigits = step.individual_digits === true;
    else if (step.type === "Split") base = namesByPattern.get(step.pattern?.Regex ?? "");
    else if (step.type === "ByteLevel") base ??= step.use_regex === false ? undefined : "gpt-2";
    else return undefined;
  }
  if (!cutsDigits) return base;
  return base === "gpt-2" ? "smollm" : undefined;
}
