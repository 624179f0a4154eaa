import { fail, ok } from "@pixii/wire";
import type { EntryExtra, Failure, FinishReason, Result } from "@pixii/wire";
import type { EngineRequest, StepOutput } from "../engine.ts";
import { KvMap } from "./kv_map.ts";
import type { KvSalt } from "./kv_map.ts";
import { TokenSampler } from "./sampler.ts";

/** One stream inside the batcher. */
export interface Sequence {
  readonly request: EngineRequest;
  readonly salt: KvSalt;
  readonly sampler: TokenSampler;
  /** Prompt and everything generated. */
  readonly tokens: number[];
  readonly arrival: number;
  /** Slot of the cache; `undefined` while it waits. */
  slot: number | undefined;
  cachedTokens: number;
  /** The cached count was sent. */
  introduced: boolean;
}

/** One prefill chunk: positions [start, end) of a sequence, one decode call of its own. */
export interface PrefillChunk {
  readonly sequence: Sequence;
  readonly start: number;
  readonly end: number;
  /** The prompt ends here: its last row gives the first token. */
  readonly last: boolean;
}

/** Bounds of a batcher. */
export interface BatcherLimits {
  readonly maxSeqs: number;
  readonly maxWaiting: number;
  /** Most tokens of a sequence. */
  readonly contextLength: number;
  readonly blockSize: number;
  /** Tokens of a chunk beside decodes and alone; multiples of 64. */
  readonly chunkBeside: number;
  readonly chunkAlone: number;
  /** Reuse only KV computed by prefill. */
  readonly deterministic: boolean;
  readonly eosTokenIds: readonly number[];
}

/**
 * Continuous batching as a pure state machine. A step is: one decode call with a token of every running sequence, then
 * at most one prefill chunk of the oldest prompt, so neither starves the other. Chunks start and end on the absolute
 * grid of 64; a prompt's prefix is looked up when its prefill starts, so equal prompts reuse the first one's work.
 */
export class Batcher {
  readonly kv: KvMap;
  readonly #limits: BatcherLimits;
  readonly #eos: ReadonlySet<number>;
  readonly #waiting: Sequence[] = [];
  readonly #running: Sequence[] = [];
  readonly #live = new Map<number, Sequence>();
  #prefilling: Sequence | undefined;
  #arrivals = 0;
  #outputs: StepOutput[] = [];

  constructor(limits: BatcherLimits, kv: KvMap) {
    this.#limits = limits;
    this.kv = kv;
    this.#eos = new Set(limits.eosTokenIds);
  }

  /** True where a step would do nothing. */
  get idle(): boolean {
    return this.#live.size === 0 && this.#outputs.length === 0;
  }

  /** Sequences that hold a slot, and those that wait. */
  counts(): { readonly running: number; readonly waiting: number; readonly prefillTokens: number } {
    let prefillTokens = 0;
    for (const one of this.#waiting) prefillTokens += one.tokens.length;
    const current = this.#prefilling;
    if (current !== undefined) {
      prefillTokens += current.tokens.length - this.kv.computed(current.slot!);
    }
    return {
      running: this.#running.length + (current === undefined ? 0 : 1),
      waiting: this.#waiting.length,
      prefillTokens,
    };
  }

  /** Takes a stream in. */
  submit(request: EngineRequest): Result<void> {
    const refused = this.#admissible(request);
    if (refused !== undefined) return { ok: false, error: refused };
    const prompt = request.tokens.length - request.emitted;
    const sequence: Sequence = {
      request,
      salt: { adapterDigest: request.adapter, tenantSalt: request.tenantSalt },
      sampler: new TokenSampler(request.sampling, request.choice, {
        prompt: request.tokens.subarray(0, prompt),
        output: request.tokens.subarray(prompt),
      }),
      tokens: Array.from(request.tokens),
      arrival: this.#arrivals++,
      slot: undefined,
      cachedTokens: 0,
      introduced: false,
    };
    this.#live.set(request.stream, sequence);
    this.#queue(sequence);
    return ok(undefined);
  }

  /** Ends a stream; a last output with reason `cancelled` follows. Unknown streams are ignored. */
  cancel(stream: number): void {
    const sequence = this.#live.get(stream);
    if (sequence !== undefined) this.#end(sequence, { reason: "cancelled" });
  }

  /** Sequences that decode a token in this step; the last token of each is the input. Makes room first. */
  planDecode(): readonly Sequence[] {
    while (this.#running.length > 0 && !this.kv.reclaim(this.#running.length)) this.#preempt();
    return this.#running.slice();
  }

  /** The input token of `sequence` is computed; `logits` is its row. */
  decoded(sequence: Sequence, logits: Float32Array): void {
    if (!this.#live.has(sequence.request.stream)) return;
    this.kv.append(sequence.slot!, [sequence.tokens[sequence.tokens.length - 1]], "decode");
    this.#sample(sequence, logits);
  }

  /** The next prefill chunk, admitting the next waiting prompt where no other is in work. Makes room first. */
  planPrefill(): PrefillChunk | undefined {
    const sequence = this.#prefilling ??= this.#admit();
    if (sequence === undefined) return undefined;
    const start = this.kv.computed(sequence.slot!);
    const length = this.#running.length > 0 ? this.#limits.chunkBeside : this.#limits.chunkAlone;
    const end = Math.min(sequence.tokens.length, start - start % 64 + length);
    while (!this.kv.reclaim(end - start)) {
      if (this.#running.some((one) => one.arrival > sequence.arrival)) {
        this.#preempt();
        continue;
      }
      if (this.#running.length > 0) {
        // The youngest waits; what it has computed stays cached until somebody needs the room.
        this.#prefilling = undefined;
        this.kv.close(sequence.slot!, true);
        sequence.slot = undefined;
        this.#queue(sequence);
        return undefined;
      }
      // Alone and still no room cannot happen: a sequence is never longer than the cache. Give up loudly.
      this.#end(sequence, { reason: "error", error: noRoom(sequence) });
      return undefined;
    }
    return { sequence, start, end, last: end === sequence.tokens.length };
  }

  /** A chunk is computed; `logits` is the last row of a last chunk. */
  prefilled(chunk: PrefillChunk, logits: Float32Array | undefined): void {
    const { sequence, start, end } = chunk;
    if (!this.#live.has(sequence.request.stream)) return;
    this.kv.append(sequence.slot!, sequence.tokens.slice(start, end), "prefill");
    if (!chunk.last) return;
    this.#prefilling = undefined;
    this.#running.push(sequence);
    this.#sample(sequence, logits!);
  }

  /** The engine could not compute these sequences' rows: they end, and their cache is not trusted. */
  failed(sequences: readonly Sequence[], error: Failure): void {
    for (const sequence of sequences) this.#end(sequence, { reason: "error", error }, false);
  }

  /** The cache was full although the books said otherwise: frees what can be freed, so that the step can be tried again. */
  squeeze(): void {
    if (this.kv.reclaim(Infinity) || this.#running.length === 0) return;
    this.#preempt();
  }

  /** Ends every stream with this error. */
  failAll(error: Failure): void {
    for (const sequence of [...this.#live.values()]) {
      this.#end(sequence, { reason: "error", error }, false);
    }
  }

  /** What the step made, in order. */
  takeOutputs(): readonly StepOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    this.kv.checkIntegrity();
    const placed = [...this.#waiting, ...this.#running];
    if (this.#prefilling !== undefined) placed.push(this.#prefilling);
    if (placed.length !== this.#live.size || new Set(placed).size !== placed.length) {
      throw new Error(`${this.#live.size} live streams, ${placed.length} in the lists`);
    }
    const slots = placed.flatMap((one) => one.slot ?? []);
    if (new Set(slots).size !== slots.length) throw new Error("two sequences share a slot");
    for (const one of this.#waiting) {
      if (one.slot !== undefined) throw new Error("a waiting sequence has a slot");
    }
    if (slots.length > this.#limits.maxSeqs) throw new Error("more sequences than allowed");
  }

  #admissible(request: EngineRequest): Failure | undefined {
    const { contextLength, maxWaiting } = this.#limits;
    if (request.tokens.length === 0 || request.emitted > request.tokens.length) {
      return fail("invalid_request", "Cannot run the stream: it has no tokens").error;
    }
    if (request.tokens.length >= contextLength) {
      const message =
        `Cannot run the stream: ${request.tokens.length} tokens, the context holds ${contextLength}`;
      return fail("context_length_exceeded", message).error;
    }
    if (request.emitted >= request.stop.maxTokens) {
      return fail("invalid_request", "Cannot run the stream: all its tokens were generated already")
        .error;
    }
    if (this.#waiting.length >= maxWaiting + this.#limits.maxSeqs) {
      const message =
        `Cannot take the stream: ${this.#waiting.length} are waiting; try again or elsewhere`;
      return fail("overloaded", message, { retryAfterMs: 1000 }).error;
    }
    return undefined;
  }

  /** Higher priority first, then by arrival. */
  #queue(sequence: Sequence): void {
    const { priority } = sequence.request;
    const before = (one: Sequence) =>
      one.request.priority < priority ||
      (one.request.priority === priority && one.arrival > sequence.arrival);
    const at = this.#waiting.findIndex(before);
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, sequence);
  }

  #admit(): Sequence | undefined {
    const sequence = this.#waiting[0];
    if (sequence === undefined || this.#running.length >= this.#limits.maxSeqs) return undefined;
    const { blockSize, deterministic } = this.#limits;
    const prompt = sequence.tokens.length;
    const match = this.kv.match(sequence.tokens, {
      salt: sequence.salt,
      mostBlocks: Math.floor((prompt - 1) / blockSize),
      prefilledOnly: deterministic,
    });
    const reused = (match?.blocks ?? 0) * blockSize;
    // Beside others a prompt waits until it fits as a whole: starting it would only preempt them.
    const others = this.#running.length > 0;
    const shared = match !== undefined && this.kv.isLive(match.slot) ? reused : 0;
    if (others && !this.#couldFit(prompt - shared + 1)) return undefined;
    const slot = this.#place(sequence, match);
    if (slot === undefined) return undefined;
    this.#waiting.shift();
    sequence.slot = slot;
    sequence.cachedTokens = this.kv.computed(slot);
    return sequence;
  }

  /** Opens a slot and attaches the match, unless opening the slot had to evict it. */
  #place(sequence: Sequence, match: ReturnType<KvMap["match"]>): number | undefined {
    const slot = this.kv.open(sequence.salt);
    if (slot === undefined || match === undefined) return slot;
    const { blockSize, deterministic } = this.#limits;
    const again = this.kv.match(sequence.tokens, {
      salt: sequence.salt,
      mostBlocks: Math.floor((sequence.tokens.length - 1) / blockSize),
      prefilledOnly: deterministic,
    });
    if (again !== undefined) this.kv.attach(slot, again);
    return slot;
  }

  #couldFit(cells: number): boolean {
    const { cached } = this.kv.counts();
    return this.kv.freeCells + cached * this.#limits.blockSize >= cells + this.#running.length;
  }

  /** Takes the youngest running sequence out; it waits and is computed again from its tokens. */
  #preempt(): void {
    let youngest = this.#running[0];
    for (const one of this.#running) if (one.arrival > youngest.arrival) youngest = one;
    this.#running.splice(this.#running.indexOf(youngest), 1);
    this.kv.close(youngest.slot!, true);
    youngest.slot = undefined;
    this.#queue(youngest);
  }

  #sample(sequence: Sequence, logits: Float32Array): void {
    const { request, tokens } = sequence;
    const { stop } = request;
    const index = request.emitted + tokens.length - request.tokens.length;
    const banned = index < stop.minTokens
      ? [...this.#limits.eosTokenIds, ...stop.stopTokenIds]
      : undefined;
    const sampled = sequence.sampler.sample(logits, { index, banned });
    if (sampled === undefined) {
      const message = "Cannot sample: the model gave no finite logit; its weights may be damaged";
      return this.#end(
        sequence,
        { reason: "error", error: fail("engine_failed", message).error },
        false,
      );
    }
    const { token } = sampled;
    const ends = (!stop.ignoreEos && this.#eos.has(token)) || stop.stopTokenIds.includes(token);
    if (ends) return this.#end(sequence, { reason: "stop", stopToken: token });
    tokens.push(token);
    const extra: EntryExtra = {};
    if (!sequence.introduced) {
      sequence.introduced = true;
      extra.cached = { device: sequence.cachedTokens, host: 0, disk: 0 };
    }
    if (sampled.logprob !== undefined) extra.logprobs = [sampled.logprob];
    const full = tokens.length >= this.#limits.contextLength;
    const over = index + 1 >= stop.maxTokens || full;
    if (over) extra.end = { reason: "length", outputTokens: index + 1 };
    const plain = extra.cached === undefined && extra.logprobs === undefined &&
      extra.end === undefined;
    this.#outputs.push({
      stream: request.stream,
      firstIndex: index,
      tokens: [token],
      extra: plain ? undefined : extra,
    });
    if (over) this.#forget(sequence, true);
  }

  #end(
    sequence: Sequence,
    end: { reason: FinishReason; stopToken?: number; error?: Failure },
    keep = true,
  ): void {
    const { request } = sequence;
    const outputTokens = request.emitted + sequence.tokens.length - request.tokens.length;
    const cached = sequence.introduced
      ? undefined
      : { device: sequence.cachedTokens, host: 0, disk: 0 };
    this.#outputs.push({
      stream: request.stream,
      firstIndex: outputTokens,
      tokens: [],
      extra: { cached, end: { ...end, outputTokens } },
    });
    this.#forget(sequence, keep);
  }

  #forget(sequence: Sequence, keep: boolean): void {
    this.#live.delete(sequence.request.stream);
    for (const list of [this.#waiting, this.#running]) {
      const at = list.indexOf(sequence);
      if (at >= 0) list.splice(at, 1);
    }
    if (this.#prefilling === sequence) this.#prefilling = undefined;
    if (sequence.slot !== undefined) this.kv.close(sequence.slot, keep);
    sequence.slot = undefined;
  }
}

function noRoom(sequence: Sequence): Failure {
  return fail(
    "engine_failed",
    `Cannot place a prompt of ${sequence.tokens.length} tokens in the cache`,
  ).error;
}
