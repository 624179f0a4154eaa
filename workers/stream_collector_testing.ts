import assert from "node:assert/strict";
import { greedySampling as plainGreedy } from "@pixii/wire";
import type { EntryExtra, RequestId, TokenLogprob } from "@pixii/wire";
import type { Engine, EngineRequest } from "./engine.ts";

/** What a test asks of an engine; the rest is greedy, eight tokens, past end tokens. */
export type StreamAsk = Partial<Omit<EngineRequest, "tokens" | "sampling" | "stop">> & {
  readonly tokens: ArrayLike<number>;
  readonly sampling?: Partial<EngineRequest["sampling"]>;
  readonly stop?: Partial<EngineRequest["stop"]>;
};

/** One stream to its end. */
export interface StreamResult {
  readonly tokens: readonly number[];
  readonly logprobs: readonly TokenLogprob[];
  readonly cachedTokens: number;
  readonly end: NonNullable<EntryExtra["end"]>;
}

interface Pending {
  readonly tokens: number[];
  readonly logprobs: TokenLogprob[];
  cachedTokens: number;
  readonly resolve: (result: StreamResult) => void;
  readonly reject: (error: unknown) => void;
}

/** The one consumer of an engine's steps: streams as promises. */
export class StreamCollector {
  readonly #engine: Engine;
  readonly #pending = new Map<number, Pending>();
  #next = 1;

  constructor(engine: Engine) {
    this.#engine = engine;
    void this.#consume();
  }

  /** Runs a stream to its end; it must be taken. */
  run(ask: StreamAsk): Promise<StreamResult> {
    const stream = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<StreamResult>();
    this.#pending.set(stream, { tokens: [], logprobs: [], cachedTokens: 0, resolve, reject });
    const taken = this.#engine.submit({
      stream,
      key: { requestId: "0".repeat(32) as RequestId, attempt: 0, leg: 0 },
      emitted: 0,
      choice: 0,
      tenantSalt: "",
      adapter: "",
      priority: 0,
      ...ask,
      tokens: Uint32Array.from(ask.tokens),
      sampling: { ...greedySampling, ...ask.sampling },
      stop: { maxTokens: 8, minTokens: 0, stopTokenIds: [], ignoreEos: true, ...ask.stop },
    });
    assert.ok(taken.ok, JSON.stringify(taken));
    return promise;
  }

  async #consume(): Promise<void> {
    try {
      for await (const batch of this.#engine.steps()) {
        for (const { stream, tokens, extra } of batch.outputs) {
          const pending = this.#pending.get(stream)!;
          pending.tokens.push(...tokens);
          pending.logprobs.push(...extra?.logprobs ?? []);
          pending.cachedTokens += extra?.cached?.device ?? 0;
          if (extra?.end === undefined) continue;
          this.#pending.delete(stream);
          pending.resolve({ ...pending, end: extra.end });
        }
      }
      this.#fail(new Error("the engine has ended"));
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    for (const pending of this.#pending.values()) pending.reject(error);
  }
}

/** The most likely token, always. */
export const greedySampling: EngineRequest["sampling"] = {
  ...plainGreedy,
  seedHi: 1,
  seedLo: 2,
};
