import { commonFields, commonNames, unbuiltExtras } from "./common_fields.ts";
import type { CommonRequest } from "./common_fields.ts";
import { FieldReader, shown } from "./field_reader.ts";

/** A prompt of a text completion: text whose special spellings are specials, or token ids. */
export type Prompt = string | readonly number[];

/** A text completion request after validation. */
export interface CompletionRequest extends CommonRequest {
  readonly prompts: readonly Prompt[];
  readonly echo: boolean;
}

/** Known and not built here yet. */
const unbuilt: Readonly<Record<string, string>> = { suffix: "insertion is", ...unbuiltExtras };
const names: ReadonlySet<string> = new Set([
  ...commonNames,
  ...["prompt", "echo", "best_of"],
  ...Object.keys(unbuilt),
]);
/** OpenAI's default of this endpoint. */
const defaultMaxTokens = 16;
/** Most choices of all prompts together. */
const mostPrompts = 128;

function isTokens(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 &&
    value.every((id) => Number.isInteger(id) && id >= 0 && id <= 0xffffffff);
}

function promptsOf(fields: FieldReader): Prompt[] {
  const value = fields.raw("prompt");
  if (value === undefined) fields.refuse("prompt", "is required");
  if (typeof value === "string") return [value];
  if (isTokens(value)) return [value];
  const isList = Array.isArray(value) && value.length > 0 &&
    (value.every((one) => typeof one === "string") || value.every(isTokens));
  if (!isList) {
    fields.refuse(
      "prompt",
      `must be a string, an array of strings, token ids or arrays of token ids, got ${
        shown(value)
      }`,
    );
  }
  if (value.length > mostPrompts) {
    fields.refuse("prompt", `must hold at most ${mostPrompts} prompts, got ${value.length}`);
  }
  return value as Prompt[];
}

/** A text completion request; throws `FieldError`. */
export function readCompletionRequest(
  body: Readonly<Record<string, unknown>>,
  rules: { readonly maxChoices: number },
): CompletionRequest {
  const fields: FieldReader = new FieldReader(body);
  fields.refuseUnbuilt(unbuilt);
  fields.refuseUnknown(names);
  const prompts = promptsOf(fields);
  const logprobs = fields.number("logprobs", { min: 0, max: 5, integer: true });
  const echo = fields.flag("echo") ?? false;
  if (echo && logprobs !== undefined) {
    fields.refuse("echo", "together with logprobs is not built yet", "unsupported_parameter");
  }
  const common = commonFields(fields, {
    logprobs: logprobs ?? -1,
    maxTokens: fields.number("max_tokens", { min: 1, max: 0xffffffff, integer: true }) ??
      defaultMaxTokens,
    maxChoices: rules.maxChoices,
  });
  const bestOf = fields.number("best_of", { min: common.n, max: rules.maxChoices, integer: true });
  if (bestOf !== undefined && bestOf > common.n) {
    fields.refuse(
      "best_of",
      `other than n is not built yet, got ${bestOf}`,
      "unsupported_parameter",
    );
  }
  if (prompts.length * common.n > mostPrompts) {
    fields.refuse(
      "n",
      `times the prompts must be at most ${mostPrompts}, got ${prompts.length * common.n}`,
    );
  }
  return { ...common, prompts, echo };
}
