import { ChurnMap, streamKeyText } from "@pixii/wire";
import type { Failure, KvEvent } from "@pixii/wire";
import { refusalOf } from "../../core/admission.ts";
import type { EngineRequest } from "../../engine.ts";
import { SequenceCache } from "./sequence_cache.ts";
import type { CacheSizes } from "./sequence_cache.ts";
import { SimLine } from "./sim_line.ts";
import { bySimRank, SimSequence } from "./sim_sequence.ts";
import type { StreamOutput } from "./sim_sequence.ts";
import type { StepShape } from "./step_time.ts";
import type { PlainTokens } from "./token_source.ts";

/** What a scheduler is made of. */
export interface SchedulerOptions extends CacheSizes {
  /** Most tokens of one step over all sequences. */
  readonly batchTokens: number;
  /** Most tokens of one prompt in a step. */
  readonly chunkTokens: number;
  /** Most prompts that are computed at a time: a step never holds parts of more. */
  readonly maxPrefills: number;
  readonly maxSeqs: number;
  readonly maxWaiting: number;
  /** Most tokens of a sequence; at most what all blocks hold. */
  readonly contextLength: number;
  readonly vocabSize: number;
  readonly eosTokenIds: readonly number[];
  readonly plain: PlainTokens;
}

/** The scheduler's part of a load report. */
export interface SchedulerLoad {
  readonly running: number;
  readonly waiting: number;
  readonly prefillTokens: number;
  readonly activeBlocks: number;
  readonly cachedBlocks: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Scheduling as vLLM does it, as a pure state machine. A step has a budget of tokens: running sequences take theirs
 * first, in order of admission; what is left goes to waiting ones, whose prompts may be cut (chunked prefill, at most
 * `chunkTokens` a step). A waiting prompt starts where all of its blocks can be had, and not in a step that preempts. A
 * running sequence that finds no block takes those of the last in rank, which waits again, before those that came later,
 * and is computed again. With `chunkTokens` 64 and `maxPrefills` 1 it is the scheduler of the llama engine. `plan`
 * decides a step and takes its blocks, `commit` makes its tokens; between them the step's time passes.
 */
export class SimScheduler {
  readonly #options: SchedulerOptions;
  readonly #cache: SequenceCache;
  readonly #live = new ChurnMap<number, SimSequence>();
  /** How many streams each request has here: hardly ever more than one. */
  readonly #requests = new ChurnMap<string, number>();
  #shared = 0;
  readonly #waiting = new SimLine();
  /** Those whose prompts another worker computes, until it is told how that went. */
  readonly #held = new ChurnMap<number, SimSequence>();
  readonly #running: SimSequence[] = [];
  readonly #cancelled: SimSequence[] = [];
  readonly #outputs: StreamOutput[] = [];
  readonly #shape: Mutable<StepShape>;
  /** Prompts of which the planned step computes a part. */
  #prefills = 0;
  #arrivals = 0;
  #preemptions = 0;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#cache = new SequenceCache(options);
    this.#shape = {
      prefillTokens: 0,
      prefillContext: 0,
      decodeSequences: 0,
      activeTokens: 0,
      capacityTokens: options.blocks * options.blockSize,
      hostTokens: 0,
    };
  }

  /** Streams taken and not ended. */
  get live(): number {
    return this.#live.size;
  }

  /** True where a step would do something: some stream is not held for another worker. */
  get isBusy(): boolean {
    return this.#live.size > this.#held.size || this.#cancelled.length > 0;
  }

  /** Sequences that lost their blocks to others, since start. */
  get preemptions(): number {
    return this.#preemptions;
  }

  /** Takes a stream in, or says why not. */
  submit(request: EngineRequest): Failure | undefined {
    const { contextLength, vocabSize, maxSeqs, maxWaiting } = this.#options;
    const limits = { contextLength, vocabSize, mostStreams: maxSeqs + maxWaiting };
    const refused = refusalOf(request, limits, this.#live);
    if (refused !== undefined) return refused;
    const sequence = new SimSequence(request, { ...this.#options, arrival: this.#arrivals++ });
    this.#live.set(request.stream, sequence);
    const { requestId } = request.key;
    const streams = (this.#requests.get(requestId) ?? 0) + 1;
    this.#requests.set(requestId, streams);
    if (streams === 2) this.#shared += 1;
    if (request.handover?.part === "take") this.#held.set(request.stream, sequence);
    else this.#waiting.add(sequence);
    return undefined;
  }

  /** The other worker has ended with a held stream's prompt: it comes in, or it is computed here. Others are ignored. */
  handover(stream: number, isGiven: boolean): void {
    const sequence = this.#held.get(stream);
    if (sequence === undefined) return;
    this.#held.delete(stream);
    sequence.isAdopted = isGiven;
    this.#waiting.add(sequence);
  }

  /** Ends a stream with the next `commit`. Unknown streams are ignored. */
  cancel(stream: number): void {
    const sequence = this.#live.get(stream);
    if (sequence === undefined || sequence.isCancelled) return;
    sequence.isCancelled = true;
    this.#cancelled.push(sequence);
  }

  /** Ends all streams with the next `commit`. */
  cancelAll(): void {
    for (const stream of this.#live.keys()) this.cancel(stream);
  }

  /** Decides the next step and takes its blocks. The shape is valid until the next call. */
  plan(): StepShape {
    const shape = this.#shape;
    shape.prefillTokens =
      shape.prefillContext =
      shape.decodeSequences =
      shape.activeTokens =
      shape.hostTokens =
        0;
    const before = this.#preemptions;
    let budget = this.#planRunning();
    // Whoever lost its blocks in this step would take them back at once.
    if (this.#preemptions === before) {
      while (budget > 0) {
        const sequence = this.#admit(budget);
        if (sequence === undefined) break;
        if (!sequence.isAdopted) budget -= sequence.planned;
      }
    }
    for (const sequence of this.#running) {
      if (sequence.planned === 0) continue;
      if (sequence.isAdopted) shape.hostTokens += sequence.planned;
      else if (isDecoding(sequence)) {
        shape.decodeSequences += 1;
        shape.activeTokens += sequence.length;
      } else {
        shape.prefillTokens += sequence.planned;
        shape.prefillContext += sequence.planned * sequence.computed;
      }
    }
    return shape;
  }

  /** Ends the planned step: what every stream says. Valid until the next call. */
  commit(): readonly StreamOutput[] {
    this.#outputs.length = 0;
    this.#endCancelled();
    const running = this.#running;
    let kept = 0;
    for (let i = 0; i < running.length; i++) {
      const sequence = running[i];
      if (sequence.planned > 0) {
        sequence.computed += sequence.planned;
        sequence.planned = 0;
        sequence.isAdopted = false;
        this.#cache.store(sequence);
        if (sequence.computed === sequence.length) this.#say(sequence);
      }
      if (sequence.isRunning) running[kept++] = sequence;
    }
    running.length = kept;
    return this.#outputs;
  }

  /** Ends every stream with this error, and the planned step with them. Valid until the next call. */
  failAll(error: Failure): readonly StreamOutput[] {
    this.#outputs.length = 0;
    for (const sequence of [...this.#live.values()]) {
      this.#outputs.push(sequence.end("error", { error }));
      this.#forget(sequence);
    }
    this.#waiting.clear();
    this.#held.clear();
    this.#running.length = this.#cancelled.length = 0;
    return this.#outputs;
  }

  /** KV events of the device tier since the last call; valid until the next call. */
  takeEvents(): readonly KvEvent[] {
    return this.#cache.takeEvents();
  }

  /** All stored blocks as events, parents first. True after the last `commit` where no step is planned. */
  snapshot(): KvEvent[] {
    return this.#cache.snapshot();
  }

  /** Live numbers. O(live streams). */
  load(): SchedulerLoad {
    let prefillTokens = 0;
    for (const one of this.#waiting) prefillTokens += one.length;
    for (const one of this.#running) {
      const left = one.length - one.computed;
      if (left > 1 || !one.isIntroduced) prefillTokens += left;
    }
    return {
      running: this.#running.length,
      waiting: this.#waiting.length + this.#held.size,
      prefillTokens,
      ...this.#cache.counts(),
    };
  }

  /** The key of a stream that is here twice, where one is. O(streams) where a request has several here, else O(1). */
  twice(): string | undefined {
    if (this.#shared === 0) return undefined;
    const seen = new Set<string>();
    for (const { request } of this.#live.values()) {
      const text = streamKeyText(request.key);
      if (seen.has(text)) return text;
      seen.add(text);
    }
    return undefined;
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    const running = new Set(this.#running);
    const waiting = new Set(this.#waiting);
    for (const one of this.#live.values()) {
      const isWaiting = waiting.has(one) || this.#held.has(one.request.stream);
      if (one.isRunning !== running.has(one) || one.isRunning === isWaiting) {
        throw new Error(`stream ${one.request.stream} is in the wrong list`);
      }
      if (!one.isRunning && one.blocks.length > 0) throw new Error("a waiting stream has blocks");
    }
    for (const one of this.#held.values()) {
      if (waiting.has(one) || running.has(one)) throw new Error("a held stream is in a list");
    }
    let [streams, shared] = [0, 0];
    for (const count of this.#requests.values()) {
      streams += count;
      if (count > 1) shared += 1;
    }
    if (streams !== this.#live.size || shared !== this.#shared) {
      throw new Error(`${streams} streams of requests, ${this.#live.size} live`);
    }
    const listed = running.size + waiting.size + this.#held.size;
    if (listed !== this.#live.size) throw new Error(`${this.#live.size} live, ${listed} listed`);
    if (this.#running.length > this.#options.maxSeqs) throw new Error("more run than allowed");
    this.#cache.checkIntegrity(this.#live.values());
  }

  /** Gives running sequences their tokens; answers what is left of the budget. */
  #planRunning(): number {
    const { batchTokens, blockSize, maxPrefills } = this.#options;
    let budget = batchTokens;
    this.#prefills = 0;
    for (let i = 0; i < this.#running.length; i++) {
      const sequence = this.#running[i];
      if (sequence.isCancelled || (isPrefill(sequence) && this.#prefills >= maxPrefills)) continue;
      const wanted = this.#partOf(sequence, budget);
      while (sequence.computed + wanted > sequence.blocks.length * blockSize) {
        if (this.#cache.grow(sequence)) continue;
        const victim = this.#lastInRank();
        budget += victim.planned;
        if (this.#running.indexOf(victim) <= i) i -= 1;
        this.#preempt(victim);
        if (victim === sequence) break;
      }
      if (!sequence.isRunning) continue;
      if (isPrefill(sequence)) this.#prefills += 1;
      sequence.planned = wanted;
      budget -= wanted;
    }
    return budget;
  }

  /** How many tokens of a sequence a step with this budget computes. */
  #partOf(sequence: SimSequence, budget: number): number {
    return Math.min(sequence.length - sequence.computed, this.#options.chunkTokens, budget);
  }

  /** Starts the first that waits, with what is cached of its prompt; nothing where it has no place. */
  #admit(budget: number): SimSequence | undefined {
    const { blockSize, maxSeqs, maxPrefills } = this.#options;
    if (this.#running.length >= maxSeqs || this.#prefills >= maxPrefills) return undefined;
    const sequence = this.#waiting.first;
    if (sequence === undefined) return undefined;
    const match = this.#cache.match(sequence);
    // Beside others a prompt waits until it fits as a whole: starting it would only cost somebody his blocks.
    const needed = Math.floor(sequence.length / blockSize) + 1 - match.blocks;
    if (this.#running.length > 0 && needed > this.#cache.free - match.idle) return undefined;
    this.#waiting.remove(sequence);
    this.#running.push(sequence);
    sequence.isRunning = true;
    const host = this.#cache.attach(sequence, match) * blockSize;
    this.#shape.hostTokens += host;
    sequence.cached ??= { device: match.blocks * blockSize, host };
    this.#prefills += 1;
    const wanted = sequence.isAdopted
      ? sequence.length - sequence.computed
      : this.#partOf(sequence, budget);
    while (sequence.computed + wanted > sequence.blocks.length * blockSize) {
      if (!this.#cache.grow(sequence)) throw new Error("a prompt that fits found no block");
    }
    sequence.planned = wanted;
    return sequence;
  }

  /** The next token of a sequence that is computed to its end. */
  #say(sequence: SimSequence): void {
    const { request, source } = sequence;
    const index = sequence.nextIndex;
    const token = source.at(index);
    if (source.ends(token)) {
      this.#outputs.push(sequence.end("stop", { stopToken: token }));
      return this.#forget(sequence);
    }
    const isLast = index + 1 >= request.stop.maxTokens ||
      sequence.length + 1 >= this.#options.contextLength;
    const logprob = source.logprob(index, token);
    const isGiven = request.handover?.part === "give";
    const isPlain = sequence.isIntroduced && !isLast && !isGiven && logprob === undefined;
    const extra = isPlain ? undefined : sequence.extra(logprob);
    if (isLast || isGiven) extra!.end = { reason: "length", outputTokens: index + 1 };
    this.#outputs.push(sequence.say(token, extra));
    if (isLast || isGiven) this.#forget(sequence);
  }

  #endCancelled(): void {
    if (this.#cancelled.length === 0) return;
    for (const sequence of this.#cancelled) {
      // It may have said its last token in the very step that ran when it was cancelled.
      if (this.#live.get(sequence.request.stream) !== sequence) continue;
      if (sequence.isRunning) this.#running.splice(this.#running.indexOf(sequence), 1);
      else if (!this.#held.delete(sequence.request.stream)) this.#waiting.remove(sequence);
      this.#outputs.push(sequence.end("cancelled"));
      this.#forget(sequence);
    }
    this.#cancelled.length = 0;
  }

  #lastInRank(): SimSequence {
    return this.#running.reduce((last, one) => bySimRank(last, one) < 0 ? one : last);
  }

  #preempt(sequence: SimSequence): void {
    this.#running.splice(this.#running.indexOf(sequence), 1);
    this.#cache.release(sequence);
    sequence.isRunning = sequence.isAdopted = false;
    this.#preemptions += 1;
    this.#waiting.add(sequence);
  }

  /** A stream is over: its handle is free. The caller takes it out of its list. */
  #forget(sequence: SimSequence): void {
    this.#live.delete(sequence.request.stream);
    this.#cache.release(sequence);
    sequence.isRunning = false;
    const { requestId } = sequence.request.key;
    const streams = this.#requests.get(requestId)! - 1;
    if (streams === 0) this.#requests.delete(requestId);
    else this.#requests.set(requestId, streams);
    if (streams === 1) this.#shared -= 1;
  }
}

/** It has tokens to compute besides the one that it said last. */
function isPrefill(sequence: SimSequence): boolean {
  return !sequence.isIntroduced || sequence.length - sequence.computed > 1;
}

/** The planned part of it is the one token that it said last. */
function isDecoding(sequence: SimSequence): boolean {
  return sequence.planned === 1 && sequence.length - sequence.computed === 1;
}
