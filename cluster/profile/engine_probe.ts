import { greedySampling } from "@pixii/wire";
import type { RequestId, Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import type { Engine, EngineRequest, StepBatch } from "@pixii/workers";

/** Longest wait for one answer of an engine. */
const answerMs = 600_000;

/** How a prompt's first token came. */
export interface FirstToken {
  /** From the submission to the step that gave it. */
  readonly ms: number;
  /** Prompt tokens found on the device and in the host tier. */
  readonly device: number;
  readonly host: number;
}

interface Waiting {
  readonly promptTokens: number;
  readonly startedMs: number;
  readonly resolve: (first: FirstToken) => void;
}

/** Asks an engine by its own interface, alone, and times its steps as they come out. */
export class EngineProbe implements AsyncDisposable {
  readonly engine: Engine;
  readonly #clock: Clock;
  readonly #first = new Map<number, Waiting>();
  /** Streams that have said their first token and not ended, and how many tokens each has. */
  readonly #live = new Map<number, number>();
  readonly #ended = new Set<() => void>();
  readonly #pump: Promise<void>;
  readonly #failure = Promise.withResolvers<never>();
  #stream = 0;
  #lastMs = 0;
  /** Takes the time between two steps in which every live stream said something. */
  #onStep: (ms: number) => void = () => {};

  constructor(engine: Engine, clock: Clock) {
    this.engine = engine;
    this.#clock = clock;
    this.#failure.promise.catch(() => undefined);
    this.#pump = this.#run();
  }

  /** Tokens of all sequences that decode. */
  get liveTokens(): number {
    return this.#live.values().reduce((sum, tokens) => sum + tokens, 0);
  }

  /** The first token of a prompt that decodes on, for `maxTokens` in all. Throws where the engine refuses it. */
  async begin(tokens: Uint32Array, maxTokens: number): Promise<FirstToken> {
    const stream = ++this.#stream;
    const { promise, resolve } = Promise.withResolvers<FirstToken>();
    this.#first.set(stream, {
      promptTokens: tokens.length,
      startedMs: this.#clock.nowMs(),
      resolve,
    });
    unwrap(this.engine.submit(requestOf(stream, tokens, maxTokens)));
    return await this.#soon(promise);
  }

  /** Milliseconds of `count` steps that decode all live sequences and nothing else; the first is left out. */
  async steps(count: number): Promise<number[]> {
    const times: number[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    let isFirst = true;
    this.#onStep = (ms) => {
      if (!isFirst) times.push(ms);
      isFirst = false;
      if (times.length === count) resolve();
    };
    await this.#soon(promise);
    this.#onStep = () => {};
    return times;
  }

  /** Ends all sequences. */
  async clear(): Promise<void> {
    if (this.#live.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended.add(resolve);
    for (const stream of this.#live.keys()) this.engine.cancel(stream);
    await this.#soon(promise);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    await this.#pump;
  }

  async #soon<T>(promise: Promise<T>): Promise<T> {
    using deadline = this.#clock.deadline(answerMs);
    const late = new Promise<never>((_, reject) => {
      deadline.signal.addEventListener("abort", () => {
        reject(new Error(`Cannot measure: the engine did not answer within ${answerMs} ms`));
      }, { once: true });
    });
    return await Promise.race([promise, late, this.#failure.promise]);
  }

  async #run(): Promise<void> {
    try {
      for await (const batch of this.engine.steps()) this.#take(batch);
    } catch (error) {
      this.#failure.reject(error);
    }
  }

  #take({ outputs }: StepBatch): void {
    const nowMs = this.#clock.nowMs();
    const live = this.#live.size;
    let spoke = 0;
    let others = 0;
    for (const { stream, tokens, extra } of outputs) {
      const length = this.#live.get(stream);
      if (length !== undefined && tokens.length > 0) {
        this.#live.set(stream, length + tokens.length);
        spoke += 1;
      } else others += 1;
      const waiting = this.#first.get(stream);
      if (waiting !== undefined) {
        this.#first.delete(stream);
        this.#live.set(stream, waiting.promptTokens + tokens.length);
        const { device = 0, host = 0 } = extra?.cached ?? {};
        waiting.resolve({ ms: nowMs - waiting.startedMs, device, host });
      }
      if (extra?.end !== undefined) this.#live.delete(stream);
    }
    if (live > 0 && spoke === live && others === 0) this.#onStep(nowMs - this.#lastMs);
    this.#lastMs = nowMs;
    if (this.#live.size > 0) return;
    for (const resolve of this.#ended) resolve();
    this.#ended.clear();
  }
}

function unwrap(result: Result<void>): void {
  if (!result.ok) throw new Error(`Cannot measure: ${result.error.message}`);
}

/** A greedy request that ends by its length only. */
function requestOf(stream: number, tokens: Uint32Array, maxTokens: number): EngineRequest {
  return {
    stream,
    key: { requestId: stream.toString(16).padStart(32, "0") as RequestId, attempt: 0, leg: 0 },
    tokens,
    emitted: 0,
    choice: 0,
    sampling: {
      ...greedySampling,
    },
    stop: { maxTokens, minTokens: 0, stopTokenIds: [], ignoreEos: true },
    tenantSalt: "",
    adapter: "",
    priority: 0,
  };
}
