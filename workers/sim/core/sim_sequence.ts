import { RouteHasher } from "@pixii/wire";
import type { EntryExtra, Failure, FinishReason, TokenLogprob } from "@pixii/wire";
import type { EngineRequest } from "../../engine.ts";
import { TokenSource } from "./token_source.ts";
import type { PlainTokens } from "./token_source.ts";

/** A stream's part of a step: one object per stream, filled anew by every step that says something. */
export interface StreamOutput {
  readonly stream: number;
  firstIndex: number;
  tokens: readonly number[];
  extra: EntryExtra | undefined;
}

const none: readonly number[] = [];

/** What a sequence needs to know of its engine. */
export interface SequenceParts {
  readonly blockSize: number;
  readonly plain: PlainTokens;
  readonly eosTokenIds: readonly number[];
  readonly arrival: number;
}

/** One stream inside the scheduler: its tokens, its hashes, the blocks it holds, how far it is computed. */
export class SimSequence {
  readonly request: EngineRequest;
  readonly arrival: number;
  readonly source: TokenSource;
  readonly output: StreamOutput;
  /** Blocks it holds, in order. */
  readonly blocks: number[] = [];
  /** RouteHashes of its full blocks, as far as they were needed. */
  readonly hi: number[] = [];
  readonly lo: number[] = [];
  /** How many of `blocks` are stored under their hash. */
  stored = 0;
  /** Tokens whose KV is there. */
  computed = 0;
  /** Tokens that the planned step computes. */
  planned = 0;
  /** Running: it holds a place and blocks. */
  isRunning = false;
  isCancelled = false;
  /** Another worker has computed its prompt: what it lacks comes in with its next step. */
  isAdopted = false;
  /** The cached counts were said. */
  isIntroduced = false;
  /** Prompt tokens that were not computed when it first ran, by where they were found. */
  cached: { readonly device: number; readonly host: number } | undefined;
  readonly #blockSize: number;
  readonly #hasher: RouteHasher;
  readonly #said: number[] = [0];
  #tokens: Uint32Array;
  #length: number;

  constructor(request: EngineRequest, parts: SequenceParts) {
    const { tokens, emitted, stream } = request;
    this.request = request;
    this.arrival = parts.arrival;
    this.#blockSize = parts.blockSize;
    this.#tokens = tokens;
    this.#length = tokens.length;
    this.#hasher = new RouteHasher({
      blockSize: parts.blockSize,
      adapterDigest: request.adapter,
      tenantSalt: request.tenantSalt,
    });
    this.source = new TokenSource({
      ...request,
      prompt: tokens.subarray(0, tokens.length - emitted),
      plain: parts.plain,
      eosTokenIds: parts.eosTokenIds,
    });
    this.output = { stream, firstIndex: 0, tokens: none, extra: undefined };
  }

  /** Tokens in all: prompt and output. */
  get length(): number {
    return this.#length;
  }

  /** Output index of the next token. */
  get nextIndex(): number {
    return this.request.emitted + this.#length - this.request.tokens.length;
  }

  /** Makes sure that the hash of full block `index` is known. Blocks are hashed in order, each once. */
  hash(index: number): void {
    while (this.hi.length <= index) {
      const hash = this.#hasher.push(this.#tokens, this.hi.length * this.#blockSize);
      this.hi.push(hash.hi);
      this.lo.push(hash.lo);
    }
  }

  /** Takes the next token in and says it. */
  say(token: number, extra: EntryExtra | undefined): StreamOutput {
    this.output.firstIndex = this.nextIndex;
    this.#said[0] = token;
    this.output.tokens = this.#said;
    this.output.extra = extra;
    this.#push(token);
    return this.output;
  }

  /** The last words, without a token. */
  end(reason: FinishReason, more: { stopToken?: number; error?: Failure } = {}): StreamOutput {
    const cached = this.isIntroduced ? undefined : this.#cachedExtra();
    const outputTokens = this.nextIndex;
    this.output.firstIndex = outputTokens;
    this.output.tokens = none;
    this.output.extra = { cached, end: { reason, ...more, outputTokens } };
    return this.output;
  }

  /** What it says besides a token: its cached counts once, the log-probability where there is one. */
  extra(logprob: TokenLogprob | undefined): EntryExtra {
    const extra: EntryExtra = {};
    if (!this.isIntroduced) {
      this.isIntroduced = true;
      extra.cached = this.#cachedExtra();
    }
    if (logprob !== undefined) extra.logprobs = [logprob];
    return extra;
  }

  #cachedExtra(): NonNullable<EntryExtra["cached"]> {
    const { device, host } = this.cached ?? { device: 0, host: 0 };
    return { device, host, disk: 0 };
  }

  #push(token: number): void {
    if (this.#length === this.#tokens.length) {
      // The caller's array stays as it is.
      const grown = new Uint32Array(this.#length + Math.max(64, this.#length >>> 2));
      grown.set(this.#tokens);
      this.#tokens = grown;
    }
    this.#tokens[this.#length++] = token;
  }
}

/** Order of service: higher priority first, then by arrival. Below 0 where `a` comes first. */
export function bySimRank(a: SimSequence, b: SimSequence): number {
  return b.request.priority - a.request.priority || a.arrival - b.arrival;
}
