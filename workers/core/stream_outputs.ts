import type { EntryExtra, Failure, FinishReason, TokenLogprob } from "@pixii/wire";
import type { EngineRequest, StepOutput } from "../engine.ts";
import { outputIndex } from "./sequence.ts";
import type { Sequence } from "./sequence.ts";

/** How a stream ends. */
export interface StreamEnd {
  readonly reason: FinishReason;
  readonly stopToken?: number;
  readonly error?: Failure;
}

/** What a step says of its streams, in order: tokens, ends, and once per stream how much of its prompt came from where. */
export class StreamOutputs {
  #outputs: StepOutput[] = [];

  /** True where there is nothing to say. */
  get isEmpty(): boolean {
    return this.#outputs.length === 0;
  }

  /** A stream that was promised cannot be taken. */
  refuse({ stream, emitted }: EngineRequest, error: Failure): void {
    const end = { reason: "error" as const, error, outputTokens: emitted };
    this.#outputs.push({ stream, firstIndex: emitted, tokens: [], extra: { end } });
  }

  /** The next token of a stream, which is not in the sequence's tokens yet; `isLast`: the stream ends with it, by length. */
  token(
    sequence: Sequence,
    token: number,
    { logprob, isLast }: { readonly logprob: TokenLogprob | undefined; readonly isLast: boolean },
  ): void {
    const firstIndex = outputIndex(sequence);
    const cached = introductionOf(sequence);
    let extra: EntryExtra | undefined;
    if (cached !== undefined || logprob !== undefined || isLast) {
      extra = {};
      if (cached !== undefined) extra.cached = cached;
      if (logprob !== undefined) extra.logprobs = [logprob];
      if (isLast) extra.end = { reason: "length", outputTokens: firstIndex + 1 };
    }
    this.#outputs.push({ stream: sequence.request.stream, firstIndex, tokens: [token], extra });
  }

  /** A stream ends without another token. */
  end(sequence: Sequence, end: StreamEnd): void {
    const outputTokens = outputIndex(sequence);
    const extra: EntryExtra = { end: { ...end, outputTokens } };
    const cached = introductionOf(sequence);
    if (cached !== undefined) extra.cached = cached;
    const { stream } = sequence.request;
    this.#outputs.push({ stream, firstIndex: outputTokens, tokens: [], extra });
  }

  /** All of it since the last call. */
  take(): readonly StepOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }
}

/** The cached counts, once per stream. */
function introductionOf(sequence: Sequence): EntryExtra["cached"] {
  if (sequence.introduced) return undefined;
  sequence.introduced = true;
  const { cachedTokens = 0, hostTokens, fetchedTokens } = sequence;
  return { device: cachedTokens, host: hostTokens, disk: fetchedTokens };
}
