import { ggufList, ggufNumber } from "../gguf/reader.ts";
import type { Gguf } from "../gguf/reader.ts";

/** How llama.cpp treats a token: as text, as a control token, or as one that the text may spell at any time. */
export type TokenKind = "normal" | "control" | "user-defined";

/** Kinds by GGUF's `token_type`; all others are normal. Unknown tokens are matched and hidden like control tokens. */
const kindsByType: Readonly<Record<number, TokenKind>> = {
  2: "control",
  3: "control",
  4: "user-defined",
};

/** llama.cpp makes these control tokens whatever the file says: they end a generation. */
const endings: ReadonlySet<string> = new Set([
  ...["<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>"],
  ...["<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]"],
  ...["<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>"],
  ...["<｜end▁of▁sentence｜>", "[e~["],
]);

/** ... and these, by the metadata key that would name them: where it does not, they are found by their spelling. */
const infill: Readonly<Record<string, readonly string[]>> = {
  fim_pre: [
    ...["<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>"],
    ...["▁<PRE>", "<|code_prefix|>", "<|prefix|>"],
  ],
  fim_suf: [
    ...["<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>"],
    ...["▁<SUF>", "<|code_suffix|>", "<|suffix|>"],
  ],
  fim_mid: [
    ...["<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>"],
    ...["▁<MID>", "<|code_middle|>", "<|middle|>"],
  ],
  fim_pad: ["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"],
  fim_rep: ["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"],
  fim_sep: ["<|file_sep|>"],
};

/** Shown by llama.cpp, whatever the file says. */
const shown: ReadonlySet<string> = new Set([
  ...["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"],
]);

/** The first spelling of each infill token that the vocabulary has and no key names. */
function spelledInfill(gguf: Gguf, tokens: ReadonlySet<string>): readonly string[] {
  return Object.entries(infill).flatMap(([name, spellings]) => {
    if (ggufNumber(gguf, `tokenizer.ggml.${name}_token_id`) !== undefined) return [];
    const spelling = spellings.find((one) => tokens.has(one));
    return spelling === undefined ? [] : [spelling];
  });
}

/** Kinds of all tokens as llama.cpp takes them, by id: what the file says, corrected by their spellings. */
export function tokenKinds(gguf: Gguf): readonly TokenKind[] {
  const tokens = ggufList<string>(gguf, "tokenizer.ggml.tokens");
  const types = ggufList<number>(gguf, "tokenizer.ggml.token_type");
  const known = new Set(tokens);
  const control = new Set([...endings, ...spelledInfill(gguf, known)]);
  // Harmony's and solar's `<|end|>` ends a message, not the generation.
  const calls = known.has("<|call|>") || known.has("<|calls|>");
  const endsMessage = calls && (known.has("<|return|>") || known.has("<|flush|>"));
  return tokens.map((text, id) => {
    if (shown.has(text) || (text === "<|end|>" && endsMessage)) return "user-defined";
    if (text === "</s>" && known.has("<|tool_response>")) return "normal";
    return control.has(text) ? "control" : kindsByType[types[id]] ?? "normal";
  });
}
