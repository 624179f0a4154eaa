import { fail, ok } from "@pixii/wire";
import type { Result, VocabularyArtifact } from "@pixii/wire";
import { z } from "zod";
import type { MergeText } from "../core/merge_table.ts";
import { preTokenizerNames, preTokenizerOf } from "../core/pre_tokenizer.ts";
import type { PreTokenizer } from "../core/pre_tokenizer.ts";
import { mostTokens } from "../core/token_table.ts";
import type { AddedToken, VocabTexts } from "../core/token_table.ts";

/** A byte-level BPE tokenizer as its `tokenizer.json` describes it. */
export interface TokenizerData {
  readonly vocab: VocabTexts;
  readonly merges: readonly MergeText[];
  readonly added: readonly AddedToken[];
  readonly pre: PreTokenizer;
  /** A word that is a token as a whole is not merged from its parts. */
  readonly ignoreMerges: boolean;
  /** Texts are brought to NFC first. */
  readonly composes: boolean;
}

const addedToken = z.object({
  id: z.number().int().min(0).max(mostTokens - 1),
  content: z.string(),
  special: z.boolean().default(false),
  single_word: z.boolean().default(false),
  lstrip: z.boolean().default(false),
  rstrip: z.boolean().default(false),
  normalized: z.boolean().default(false),
});

/** The large parts, `vocab` and `merges`, are checked by hand. */
const tokenizerJson = z.object({
  added_tokens: z.array(addedToken).default([]),
  normalizer: z.object({ type: z.string() }).nullish(),
  pre_tokenizer: z.unknown(),
  model: z.object({
    type: z.string().default("BPE"),
    ignore_merges: z.boolean().nullish(),
    byte_fallback: z.boolean().nullish(),
    dropout: z.number().nullish(),
    continuing_subword_prefix: z.string().nullish(),
    end_of_word_suffix: z.string().nullish(),
    vocab: z.unknown(),
    merges: z.unknown(),
  }),
});

/** Reads the tokenizer of an artifact; `artifact_invalid` for what is damaged or not known, by name. */
export function readTokenizer(artifact: VocabularyArtifact): Result<TokenizerData> {
  const pre = preTokenizerOf(artifact.pre);
  if (pre === undefined) {
    return refuse(`its pre-tokenizer is '${artifact.pre}'; known are ${preTokenizerNames}`);
  }
  const parsed = tokenizerJson.safeParse(artifact.tokenizer);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return refuse(`tokenizer.${issue.path.join(".")}: ${issue.message}`);
  }
  const { model, added_tokens: added, normalizer, pre_tokenizer } = parsed.data;
  if (model.type !== "BPE") return refuse(`its kind is '${model.type}'; byte-level BPE is known`);
  if (model.byte_fallback === true || model.dropout) {
    return refuse("it uses byte_fallback or dropout; byte-level BPE without them is known");
  }
  if (model.continuing_subword_prefix || model.end_of_word_suffix) {
    return refuse("it marks parts of words; byte-level BPE without marks is known");
  }
  if (normalizer && normalizer.type !== "NFC") {
    return refuse(`its normalizer is '${normalizer.type}'; NFC and none are known`);
  }
  const odd = added.find((one) => one.lstrip || one.rstrip || one.single_word || one.normalized);
  if (odd !== undefined) {
    return refuse(`its token '${odd.content}' is matched by rules (strip, word, normalized)`);
  }
  const pattern = unknownPattern(pre_tokenizer, pre);
  if (pattern !== undefined) {
    return refuse(`its pre_tokenizer is not the one of '${pre.name}': it has ${pattern}`);
  }
  const vocab = vocabTexts(model.vocab);
  if (vocab === undefined) return refuse("model.vocab must give each token an id");
  if (!isMerges(model.merges)) return refuse("model.merges must hold pairs of texts");
  const ignoreMerges = model.ignore_merges ?? false;
  const { merges } = model;
  return ok({ vocab, merges, added, pre, ignoreMerges, composes: normalizer?.type === "NFC" });
}

function refuse(why: string) {
  return fail("artifact_invalid", `Cannot use the tokenizer: ${why}`);
}

/** A regular expression of the pre-tokenizer that is not one of `pre`, quoted. */
function unknownPattern(json: unknown, pre: PreTokenizer): string | undefined {
  if (typeof json !== "object" || json === null) return undefined;
  if (Array.isArray(json)) {
    return json.map((one) => unknownPattern(one, pre)).find((one) => one !== undefined);
  }
  for (const [key, value] of Object.entries(json)) {
    if (key === "Regex" && !pre.patterns.includes(value)) return JSON.stringify(value);
    const inner = unknownPattern(value, pre);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function vocabTexts(value: unknown): VocabTexts | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  // Once: an object of a hundred thousand keys is put in order each time its keys are asked for.
  const texts = Object.keys(value);
  const ids = texts.map((text) => (value as Record<string, unknown>)[text]);
  const isId = (id: unknown): id is number =>
    Number.isInteger(id) && id as number >= 0 && id as number < mostTokens;
  return ids.length > 0 && ids.every(isId) ? { texts, ids } : undefined;
}

function isMerges(value: unknown): value is MergeText[] {
  if (!Array.isArray(value) || value.length > mostTokens) return false;
  return value.every((one) =>
    typeof one === "string" ||
    (Array.isArray(one) && one.length === 2 && one.every((part) => typeof part === "string"))
  );
}
