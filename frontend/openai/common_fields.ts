import type { Sampling } from "@pixii/wire";
import { shown } from "./field_reader.ts";
import type { FieldReader } from "./field_reader.ts";
import { hintFields } from "./hint_fields.ts";
import type { ClientHints } from "./hint_rules.ts";

/** OpenAI's bound. */
const mostStops = 4;
/** Longest stop string, in characters: longer ones would hold text back for ever. */
const longestStop = 1024;

/** What chat and text completions share, after validation. */
export interface CommonRequest {
  readonly model: string;
  /** Choices per prompt. */
  readonly n: number;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly sampling: Omit<Sampling, "seedHi" | "seedLo">;
  /** As two u32; absent = drawn. */
  readonly seed: { readonly hi: number; readonly lo: number } | undefined;
  readonly maxTokens: number | undefined;
  readonly minTokens: number;
  readonly ignoreEos: boolean;
  readonly stopTokenIds: readonly number[];
  readonly stops: readonly string[];
  readonly hints: ClientHints;
}

/** Field names that both endpoints know. */
export const commonNames: readonly string[] = [
  ...[
    "model",
    "n",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "max_tokens",
  ],
  ...["presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "user"],
  // Extras of other engines.
  ...[
    "top_k",
    "min_p",
    "repetition_penalty",
    "ignore_eos",
    "min_tokens",
    "stop_token_ids",
    "nvext",
  ],
  // Known and harmless: accepted and not used.
  ...["metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"],
  ...["prompt_cache_retention"],
];

/** Known to other engines and not built here yet. */
export const unbuiltExtras: Readonly<Record<string, string>> = {
  guided_json: "guided decoding is",
  guided_regex: "guided decoding is",
  guided_choice: "guided decoding is",
  guided_grammar: "guided decoding is",
  structured_outputs: "guided decoding is",
  use_beam_search: "beam search is",
  length_penalty: "beam search is",
  prompt_logprobs: "log-probabilities of prompts are",
  truncate_prompt_tokens: "cutting prompts is",
  cache_salt: "cache salts are",
  logits_processors: "logits processors are",
};

function stopStrings(fields: FieldReader): string[] {
  const value = fields.raw("stop");
  if (value === undefined) return [];
  const list = typeof value === "string" ? [value] : value;
  if (!Array.isArray(list)) {
    fields.refuse("stop", `must be a string or an array of strings, got ${shown(value)}`);
  }
  if (list.length > mostStops) {
    fields.refuse("stop", `must hold at most ${mostStops} strings, got ${list.length}`);
  }
  for (const one of list) {
    if (typeof one !== "string" || one === "") {
      fields.refuse("stop", `must hold non-empty strings, got ${shown(one)}`);
    }
    if (one.length > longestStop) {
      fields.refuse("stop", `must hold strings of at most ${longestStop} characters`);
    }
  }
  return list;
}

function stopTokenIds(fields: FieldReader): number[] {
  const value = fields.raw("stop_token_ids");
  if (value === undefined) return [];
  const isRight = Array.isArray(value) && value.length <= 64 &&
    value.every((id) => Number.isInteger(id) && id >= 0 && id <= 0xffffffff);
  if (!isRight) fields.refuse("stop_token_ids", "must be an array of at most 64 token ids");
  return value;
}

function logitBias(fields: FieldReader): [number, number][] {
  const bias = fields.object("logit_bias");
  if (bias === undefined) return [];
  const names = bias.names();
  if (names.length > 1024) {
    fields.refuse("logit_bias", `must hold at most 1024 tokens, got ${names.length}`);
  }
  return names.map((name) => {
    const id = Number(name);
    if (!/^\d+$/.test(name) || id > 0xffffffff) {
      fields.refuse("logit_bias", `keys must be token ids, got ${shown(name)}`);
    }
    return [id, bias.number(name, { min: -100, max: 100 }) ?? 0];
  });
}

/** A seed as 64 bits, two's complement. */
function seedOf(fields: FieldReader): CommonRequest["seed"] {
  const value = fields.number("seed", { integer: true });
  if (value === undefined) return undefined;
  if (Math.abs(value) > 2 ** 63) fields.refuse("seed", `must be a 64-bit integer, got ${value}`);
  const bits = BigInt.asUintN(64, BigInt(value));
  return { hi: Number(bits >> 32n), lo: Number(bits & 0xffffffffn) };
}

function samplingOf(fields: FieldReader, logprobs: number): CommonRequest["sampling"] {
  return {
    temperature: fields.number("temperature", { min: 0, max: 2 }) ?? 1,
    topP: fields.number("top_p", { min: 0, max: 1, above: true }) ?? 1,
    topK: Math.max(0, fields.number("top_k", { min: -1, max: 0xffffffff, integer: true }) ?? 0),
    minP: fields.number("min_p", { min: 0, max: 1 }) ?? 0,
    presencePenalty: fields.number("presence_penalty", { min: -2, max: 2 }) ?? 0,
    frequencyPenalty: fields.number("frequency_penalty", { min: -2, max: 2 }) ?? 0,
    repetitionPenalty: fields.number("repetition_penalty", { min: 0.01, max: 100 }) ?? 1,
    logitBias: logitBias(fields),
    logprobs,
  };
}

const streamNames = new Set(["include_usage", "include_obfuscation"]);

/** Reads what both endpoints share. `logprobs` is read by the endpoint: -1 or 0..20. */
export function commonFields(
  fields: FieldReader,
  more: {
    readonly logprobs: number;
    readonly maxTokens: number | undefined;
    readonly maxChoices: number;
  },
): CommonRequest {
  const model = fields.text("model");
  if (model === undefined || model === "") {
    fields.refuse("model", "is required; GET /v1/models lists what is served");
  }
  const stream = fields.flag("stream") ?? false;
  const options = fields.object("stream_options");
  if (options !== undefined && !stream) {
    fields.refuse("stream_options", "is only allowed when stream is true");
  }
  options?.refuseUnknown(streamNames);
  options?.flag("include_obfuscation");
  fields.text("user");
  const minTokens = fields.number("min_tokens", { min: 0, max: 0xffffffff, integer: true }) ?? 0;
  if (more.maxTokens !== undefined && minTokens > more.maxTokens) {
    fields.refuse("min_tokens", `must be at most max_tokens, ${more.maxTokens}, got ${minTokens}`);
  }
  return {
    ...{ model, stream, minTokens, maxTokens: more.maxTokens },
    n: fields.number("n", { min: 1, max: more.maxChoices, integer: true }) ?? 1,
    includeUsage: options?.flag("include_usage") ?? false,
    sampling: samplingOf(fields, more.logprobs),
    seed: seedOf(fields),
    ignoreEos: fields.flag("ignore_eos") ?? false,
    stopTokenIds: stopTokenIds(fields),
    stops: stopStrings(fields),
    hints: hintFields(fields),
  };
}
