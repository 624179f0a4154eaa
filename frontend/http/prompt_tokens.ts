import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";
import type { ChatRequest } from "../openai/chat_request.ts";
import type { CommonRequest } from "../openai/common_fields.ts";
import type { CompletionRequest, Prompt } from "../openai/completion_request.ts";
import { outputRoom } from "./request_run.ts";

/** Prompts are tokenized up to so many times the model's context: that far their length is told, no further. */
const countedContexts = 4;

/** The tokens of a chat: the model's template rendered and tokenized. */
export async function chatTokens(
  request: ChatRequest,
  vocabulary: Vocabulary,
  options: { readonly nowMs: number; readonly contextLength: number },
): Promise<Result<readonly Uint32Array[]>> {
  if (!vocabulary.hasChatTemplate) {
    return fail(
      "invalid_request",
      "This model has no chat template; use /v1/completions",
      { param: "messages" },
    );
  }
  const { nowMs, contextLength } = options;
  const mostTokens = countedContexts * contextLength;
  const tokens = await vocabulary.encodeChat(request.messages, { nowMs, mostTokens });
  if (tokens.ok) return ok([tokens.value]);
  return tokens.error.code === "context_length_exceeded" ? tooLong(contextLength) : tokens;
}

/** The tokens of every prompt of a text completion; spellings of specials count as specials there. */
export async function completionTokens(
  request: CompletionRequest,
  vocabulary: Vocabulary,
  contextLength: number,
): Promise<Result<readonly Uint32Array[]>> {
  const all: Uint32Array[] = [];
  for (const [index, prompt] of request.prompts.entries()) {
    const param = request.prompts.length === 1 ? "prompt" : `prompt[${index}]`;
    const encoded = await tokensOf(prompt, vocabulary, countedContexts * contextLength);
    if (!encoded.ok) {
      return encoded.error.code === "context_length_exceeded"
        ? tooLong(contextLength, param)
        : encoded;
    }
    const tokens = encoded.value;
    if (tokens.length === 0) {
      return fail("invalid_request", `Invalid '${param}': must not be empty`, { param });
    }
    const unknown = typeof prompt === "string"
      ? undefined
      : prompt.find((id) => id >= vocabulary.size);
    if (unknown !== undefined) return noSuchToken(param, unknown, vocabulary);
    all.push(tokens);
  }
  return ok(all);
}

function tokensOf(
  prompt: Prompt,
  vocabulary: Vocabulary,
  mostTokens: number,
): Result<Uint32Array> | Promise<Result<Uint32Array>> {
  if (typeof prompt !== "string") return ok(Uint32Array.from(prompt));
  return vocabulary.encodePrompt(prompt, { parseSpecials: true, addBos: true, mostTokens });
}

function tooLong(contextLength: number, param = "messages") {
  return fail(
    "context_length_exceeded",
    `This model's maximum context length is ${contextLength} tokens; the prompt has more than ` +
      `${countedContexts * contextLength}. Shorten it.`,
    { param },
  );
}

/** Everything that can be refused before any work: ids of unknown tokens, prompts that do not fit. */
export function checkTokens(
  common: CommonRequest,
  prompts: readonly Uint32Array[],
  rules: {
    readonly vocabulary: Vocabulary;
    readonly contextLength: number;
    readonly param: "messages" | "prompt";
  },
): Result<void> {
  const { vocabulary, contextLength, param } = rules;
  for (const [id] of common.sampling.logitBias) {
    if (id >= vocabulary.size) return noSuchToken("logit_bias", id, vocabulary);
  }
  for (const id of common.stopTokenIds) {
    if (id >= vocabulary.size) return noSuchToken("stop_token_ids", id, vocabulary);
  }
  for (const prompt of prompts) {
    const room = outputRoom(prompt.length, common.maxTokens, contextLength);
    if (!room.ok) return fail(room.error.code, room.error.message, { param });
  }
  return ok(undefined);
}

function noSuchToken(param: string, id: number, vocabulary: Vocabulary) {
  return fail(
    "invalid_request",
    `Invalid '${param}': token ids must be below ${vocabulary.size}, got ${id}`,
    { param },
  );
}
