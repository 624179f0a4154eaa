import type { TokenSource } from "@pixii/workers/sim";
import type { StreamOutcome, StreamSink } from "@pixii/frontend/generation";
import type { ErrorCode, RequestId, TokenLogprob, WorkerRank } from "@pixii/wire";

/** Errors that no fault of machines or networks excuses: they say that a program is wrong. */
const inexcusable: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...["internal", "decode_error", "invalid_request", "model_not_found"] as const,
  ...["context_length_exceeded", "unsupported_parameter", "payload_too_large"] as const,
]);

/** Errors that load alone explains. */
const ofLoad: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "overloaded",
  "rate_limited",
  "timeout",
]);

/** What is watched of a request. */
export interface WatchedRequest {
  readonly id: RequestId;
  readonly promptTokens: number;
  readonly maxTokens: number;
  /** Tokens that end it early. */
  readonly stopTokens: readonly number[];
  readonly startMs: number;
  readonly deadlineMs: number;
  /** What the model must say. */
  readonly source: TokenSource;
  /** Whether anything goes, or went shortly before it began, wrong that an error may be due to. */
  readonly mayFail: () => boolean;
}

/** How a request went. */
export interface RequestStory {
  readonly id: RequestId;
  /** `length`, `stop`, `cancelled`, `lost` with its frontend, or an error's code. */
  readonly end: string;
  readonly tokens: number;
  readonly attempts: number;
  readonly ttftMs: number | undefined;
  /** Mean time between two tokens, where there were two. */
  readonly itlMs: number | undefined;
}

/** Who hears of requests. */
export interface WatchOwner {
  readonly nowMs: () => number;
  broken(message: string): void;
  ended(watch: RequestWatch, story: RequestStory): void;
}

/**
 * The client's side of one request: takes its stream and holds it against what the model must say. Tokens are contiguous,
 * right and not too many; the end comes once, says what was seen, and nothing comes after it.
 */
export class RequestWatch implements StreamSink {
  readonly request: WatchedRequest;
  readonly #owner: WatchOwner;
  #next = 0;
  #firstMs: number | undefined;
  #lastMs = 0;
  #end: string | undefined;
  isCancelled = false;

  constructor(request: WatchedRequest, owner: WatchOwner) {
    this.request = request;
    this.#owner = owner;
  }

  /** True until it ended. */
  get isLive(): boolean {
    return this.#end === undefined;
  }

  accepted(_worker: WorkerRank): void {
    if (this.#end !== undefined) this.#broken(`was accepted after its end (${this.#end})`);
  }

  tokens(ids: readonly number[], _logprobs: readonly TokenLogprob[] | undefined): void {
    const { source, maxTokens, stopTokens } = this.request;
    if (this.#end !== undefined) return this.#broken(`got tokens after its end (${this.#end})`);
    for (const id of ids) {
      const wanted = source.at(this.#next);
      if (id !== wanted) {
        return this.#broken(`got token ${id} at index ${this.#next}, the model says ${wanted}`);
      }
      if (stopTokens.includes(id)) return this.#broken(`got its stop token ${id}`);
      this.#next += 1;
    }
    if (this.#next > maxTokens) this.#broken(`got ${this.#next} of at most ${maxTokens} tokens`);
    this.#lastMs = this.#owner.nowMs();
    this.#firstMs ??= this.#lastMs;
  }

  end(outcome: StreamOutcome): void {
    const { maxTokens, mayFail, source } = this.request;
    const { reason, error, outputTokens, attempts } = outcome;
    if (this.#end !== undefined) return this.#broken(`ended twice: ${this.#end}, then ${reason}`);
    const end = reason === "error" ? error?.code ?? "error" : reason;
    if (outputTokens !== this.#next) {
      this.#broken(`ended with ${outputTokens} tokens, the client has ${this.#next}`);
    }
    if (reason === "length" && this.#next !== maxTokens) {
      this.#broken(`ended by length after ${this.#next} of ${maxTokens} tokens`);
    }
    if (reason === "stop" && !this.request.stopTokens.includes(source.at(this.#next))) {
      this.#broken("ended by a stop token that the model does not say here");
    }
    if (reason === "cancelled" && !this.isCancelled) this.#broken("was cancelled by nobody");
    if (reason === "error") {
      if (error === undefined) this.#broken("ended with an error without a word");
      else if (inexcusable.has(error.code) || !(ofLoad.has(error.code) || mayFail())) {
        this.#broken(`failed: ${error.code}: ${error.message}`);
      }
    }
    this.#over(end, attempts);
  }

  /** Its frontend died, and the client's connection with it. */
  lose(): void {
    if (this.#end === undefined) this.#over("lost", 0);
  }

  #over(end: string, attempts: number): void {
    this.#end = end;
    const { id, startMs } = this.request;
    const [firstMs, gaps] = [this.#firstMs, this.#next - 1];
    this.#owner.ended(this, {
      ...{ id, end, tokens: this.#next, attempts },
      ttftMs: firstMs === undefined ? undefined : firstMs - startMs,
      itlMs: firstMs === undefined || gaps < 1 ? undefined : (this.#lastMs - firstMs) / gaps,
    });
  }

  #broken(what: string): void {
    this.#owner.broken(`request ${this.request.id} ${what}`);
  }
}
