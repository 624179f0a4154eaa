import { fail } from "@pixii/wire";
import type { Failure } from "@pixii/wire";
import type { EngineRequest } from "../engine.ts";

/** What an engine can take. */
export interface AdmissionLimits {
  /** Most tokens of a sequence, prompt and output. */
  readonly contextLength: number;
  readonly vocabSize: number;
  /** Most streams in work and waiting. */
  readonly mostStreams: number;
}

/** Why a stream cannot be taken, or undefined where it can. `live` are the handles of the streams taken and not ended. */
export function refusalOf(
  request: EngineRequest,
  limits: AdmissionLimits,
  live: { readonly size: number; has(stream: number): boolean },
): Failure | undefined {
  const { tokens, emitted, stop } = request;
  const { contextLength, vocabSize, mostStreams } = limits;
  if (tokens.length === 0 || emitted > tokens.length) {
    return fail("invalid_request", "Cannot run the stream: it has no tokens; send a prompt").error;
  }
  if (tokens.length >= contextLength) {
    return fail(
      "context_length_exceeded",
      `Cannot run the stream: ${tokens.length} tokens, the context holds ${contextLength} with at least one of output; shorten the prompt`,
    ).error;
  }
  const strange = tokens.find((token) => token >= vocabSize);
  if (strange !== undefined) {
    return fail(
      "invalid_request",
      `Cannot run the stream: token ${strange} is not in the vocabulary of ${vocabSize}; use this model's tokenizer`,
    ).error;
  }
  if (emitted >= stop.maxTokens) {
    return fail(
      "invalid_request",
      `Cannot run the stream: its ${stop.maxTokens} tokens were generated already; raise the token limit`,
    ).error;
  }
  if (live.has(request.stream)) {
    return fail(
      "invalid_request",
      `Cannot run the stream: handle ${request.stream} is in use; use another`,
    ).error;
  }
  if (live.size >= mostStreams) {
    return fail(
      "overloaded",
      `Cannot take the stream: ${live.size} are in work or waiting; try again or elsewhere`,
      { retryAfterMs: 1000 },
    ).error;
  }
  return undefined;
}
