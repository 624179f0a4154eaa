import { fail, ok } from "@pixii/wire";
import type { Failure, Result } from "@pixii/wire";
import { Batcher } from "../core/batcher.ts";
import type { PrefillChunk } from "../core/batcher.ts";
import { KvMap } from "../core/kv_map.ts";
import { promptEnd } from "../core/prompt_end.ts";
import type { Sequence } from "../core/sequence.ts";
import type { EngineRequest } from "../engine.ts";
import type { HostRun, HostSlots, Landing, MappedPool } from "../kv_store/kv_store.ts";
import { LlamaContext, sequencesOf } from "./context.ts";
import { sizesOf } from "./engine_sizes.ts";
import { HostBlocks } from "./host_blocks.ts";
import type { HostBlockKind } from "./host_block_kind.ts";
import { kvTypes } from "./kv_type.ts";
import type { Library } from "./library.ts";
import { LlamaModel } from "./model.ts";
import type { ModelFacts } from "./model.ts";
import { shapeOfOneToken } from "./state_blob.ts";
import type { StateShape } from "./state_blob.ts";
import { sharedLayout } from "./thread_messages.ts";
import type { FromThread, OpenMessage, ThreadGauges } from "./thread_messages.ts";

/** Tokens of a KV block: a multiple of the CPU attention tile. */
export const blockSize = 64;
/** Tokens of a prefill chunk beside decodes (bounds ITL) and alone (bounds the wait of a newcomer and of a cancel). */
const chunkBeside = 64;
const chunkAlone = 128;
/** Most tokens of one decode call. */
const batchTokens = 512;
/** Failed decode calls in a row after which the engine gives itself up. */
const mostFailures = 3;
/** Weight of the newest measurement in the rates. */
const rateWeight = 0.2;

type StepMessage = Extract<FromThread, { op: "step" }>;

/** Engine steps over one context: the blocking half of the llama engine, inside its thread. */
export class EngineLoop implements Disposable {
  readonly facts: ModelFacts;
  readonly contextLength: number;
  readonly cells: number;
  /** What the state of its tokens looks like, where it was looked at: models with sliding windows. */
  readonly shape: StateShape | undefined;
  readonly #context: LlamaContext;
  readonly #model: LlamaModel;
  readonly #batcher: Batcher;
  readonly #abort: Uint8Array;
  readonly #nowMs: () => number;
  readonly #host: HostBlocks;
  #isWaiting = false;
  /** Milliseconds of this step that went into blocks, and how deep in that it is. */
  #blocksMs = 0;
  #blocksDepth = 0;
  #step = 0;
  #submits = 0;
  #failures = 0;
  #prefillRate = 0;
  #decodeRate = 0;

  private constructor(options: {
    facts: ModelFacts;
    contextLength: number;
    cells: number;
    shape: StateShape | undefined;
    context: LlamaContext;
    model: LlamaModel;
    batcher: Batcher;
    abort: Uint8Array;
    nowMs: () => number;
  }) {
    this.facts = options.facts;
    this.contextLength = options.contextLength;
    this.cells = options.cells;
    this.shape = options.shape;
    this.#context = options.context;
    this.#model = options.model;
    this.#batcher = options.batcher;
    this.#abort = options.abort;
    this.#nowMs = options.nowMs;
    this.#host = new HostBlocks(options.nowMs);
  }

  /** Loads the model and makes the context. */
  static open(library: Library, message: OpenMessage, nowMs: () => number): Result<EngineLoop> {
    const loaded = LlamaModel.load(library, message.path);
    if (!loaded.ok) return loaded;
    const model = loaded.value;
    const facts = model.facts();
    if (!facts.ok) {
      model[Symbol.dispose]();
      return facts;
    }
    const sizes = sizesOf(message, facts.value);
    if (!sizes.ok) {
      model[Symbol.dispose]();
      return sizes;
    }
    const { contextLength, cells } = sizes.value;
    // One more than the map knows of: blocks go in and out through it.
    const twins = facts.value.slidingWindow > 0;
    const slots = Math.min(twins ? 128 : 256, message.maxSeqs + message.kept + 1);
    const abort = new Uint8Array(message.shared, sharedLayout.abortByte, 1);
    const context = LlamaContext.open(library, model, {
      sizes: {
        cells,
        slots,
        threads: message.threads,
        // llama.cpp takes no batch larger than its cache.
        batch: Math.min(batchTokens, cells),
        outputs: sequencesOf({ slots, twins }),
        kvType: kvTypes[message.kvType].ggml,
        twins,
      },
      vocabSize: facts.value.vocabSize,
      abort,
    });
    if (!context.ok) {
      model[Symbol.dispose]();
      return context;
    }
    const eosTokenIds = [...new Set([...facts.value.endTokenIds, ...message.endTokenIds])];
    const batcher = new Batcher(
      {
        maxSeqs: message.maxSeqs,
        maxWaiting: message.maxWaiting,
        contextLength,
        vocabSize: facts.value.vocabSize,
        blockSize,
        chunkBeside,
        chunkAlone,
        deterministic: message.deterministic,
        eosTokenIds,
      },
      new KvMap({ slots: slots - 1, cells, blockSize }),
    );
    const shape = twins ? slidingShape(context.value, facts.value) : undefined;
    const parts = { facts: facts.value, contextLength, cells, shape, context: context.value };
    return ok(new EngineLoop({ ...parts, model, batcher, abort, nowMs }));
  }

  /** True where there is nothing to compute or to report. */
  get idle(): boolean {
    return this.#batcher.idle && !this.#batcher.kv.hasTooMany;
  }

  /** Takes a stream in. What the main isolate could not know ends it with the reason, in the next step. */
  submit(request: EngineRequest, host?: HostRun): void {
    this.#submits += 1;
    const taken = this.#batcher.submit(request, host);
    if (!taken.ok) this.#batcher.refuse(request, taken.error);
  }

  /** Ends a stream. */
  cancel(stream: number): void {
    this.#batcher.cancel(stream);
  }

  /** A host tier is there: blocks that leave are kept in it. */
  openPool(pool: MappedPool, kind: HostBlockKind): void {
    this.#host.open(pool, kind);
    this.#batcher.forgetHost();
    this.#batcher.kv.useHostTier(true);
  }

  /** The host tier is gone: nothing of it is touched from here on. */
  closePool(generation: number): void {
    if (this.#host.generation !== generation) return;
    this.#host.close();
    this.#batcher.forgetHost();
    this.#batcher.kv.useHostTier(false);
  }

  /** Slots of the host tier to write into. */
  grant(slots: HostSlots): void {
    this.#host.grant(slots);
  }

  /** Blocks that have left the host tier. */
  goneFromHost(generation: number, slots: Uint32Array): void {
    if (this.#host.generation === generation) this.#batcher.kv.forgetHosted(slots);
  }

  /** What became of blocks that were on their way to the host tier. */
  landed(generation: number, landings: readonly Landing[]): void {
    if (this.#host.generation === generation) this.#batcher.landed(landings);
  }

  /** Gives up all that is kept for reuse, as the host tier has room for it. */
  unload(): void {
    this.#batcher.kv.leave();
  }

  /** Number of the last step, and the blocks held after it. Only true while no events wait: see `flush`. */
  snapshot(): { readonly step: number; readonly kvEvents: ReturnType<KvMap["snapshot"]> } {
    return { step: this.#step, kvEvents: this.#batcher.kv.snapshot() };
  }

  /** A step without computing, where something happened since the last one (a cancel changed the blocks held). */
  flush(): StepMessage | undefined {
    return this.#batcher.kv.hasEvents ? this.#report() : undefined;
  }

  /** Ends every stream with this error: the last step. */
  failAll(error: Failure): StepMessage {
    this.#batcher.failAll(error);
    return this.#report();
  }

  /** One step: a decode call, then at most one prefill chunk. Throws when the engine cannot go on. */
  step(): StepMessage {
    const startedMs = this.#nowMs();
    this.#blocksMs = 0;
    this.#host.beginStep();
    this.#decode();
    const hasRoom = this.#inBlocks(() => this.#makeRoom());
    if (hasRoom && this.#inBlocks(() => this.#restore())) this.#prefill();
    this.#inBlocks(() => this.#give());
    if (this.#host.generation !== undefined) this.#inBlocks(() => this.#keep());
    const isTrim = this.#inBlocks(() => this.#trim());
    this.#host.endStep(this.#nowMs() - startedMs, this.#blocksMs);
    this.#isWaiting = !(hasRoom && isTrim) && this.#host.isOut && !this.#batcher.isDecoding ||
      this.#host.isShort && !this.#batcher.isComputing;
    return this.#report();
  }

  /** True where the next step can do nothing before slots of the host tier come, or the wait for them is over. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  #makeRoom(): boolean {
    const isDone = this.#batcher.makeRoom(this.#host.room);
    this.#apply();
    return isDone;
  }

  /** Gives up kept prompts that are too many, as far as the host tier can keep them. */
  #trim(): boolean {
    this.#apply();
    const isDone = !this.#batcher.kv.hasTooMany || this.#batcher.kv.trim(this.#host.room);
    this.#apply();
    return isDone;
  }

  #apply(): void {
    const ops = this.#batcher.kv.takeOps();
    if (ops.length === 0) return;
    this.#inBlocks(() => {
      this.#context.apply(ops, (op) => this.#host.offload(this.#context, op));
    });
  }

  /** Does work whose time counts as that of blocks, once however deep it calls itself. */
  #inBlocks<Answer>(work: () => Answer): Answer {
    const startedMs = this.#nowMs();
    this.#blocksDepth += 1;
    try {
      return work();
    } finally {
      this.#blocksDepth -= 1;
      if (this.#blocksDepth === 0) this.#blocksMs += this.#nowMs() - startedMs;
    }
  }

  /** Takes back what the host tier has of the next prompt. False where the step's time is over and there is more. */
  #restore(): boolean {
    for (let plan = this.#batcher.planRestore(); plan; plan = this.#batcher.planRestore()) {
      this.#apply();
      this.#batcher.restored(plan, this.#host.restore(this.#context, plan));
      if (!this.#host.mayRestore) return false;
    }
    return true;
  }

  /** Hands over what is computed for another worker, as far as the step has slots and time. */
  #give(): void {
    for (let plan = this.#batcher.planGive(); plan; plan = this.#batcher.planGive()) {
      const how = this.#host.give(this.#context, plan);
      if (how === "later") return;
      this.#batcher.gave(plan, how === "failed" ? notGiven() : how);
      this.#apply();
    }
  }

  /** Keeps what prompts in work have computed, so that nobody waits for it when they end. */
  #keep(): void {
    for (let plan = this.#batcher.planKeep(); plan; plan = this.#batcher.planKeep()) {
      const host = this.#host.keep(this.#context, plan);
      if (host === undefined) return;
      this.#batcher.kept(plan, host);
    }
  }

  #report(): StepMessage {
    this.#step += 1;
    for (const run of this.#batcher.takeReleased()) this.#host.release(run);
    return {
      op: "step",
      step: this.#step,
      outputs: this.#batcher.takeOutputs(),
      kvEvents: this.#batcher.kv.takeEvents(),
      gauges: this.#gauges(),
      host: this.#host.takeReport(),
    };
  }

  #gauges(): ThreadGauges {
    const { active, cached } = this.#batcher.kv.counts();
    return {
      ...this.#batcher.counts(),
      submits: this.#submits,
      activeBlocks: active,
      cachedBlocks: cached,
      prefillRate: this.#prefillRate,
      decodeRate: this.#decodeRate,
    };
  }

  [Symbol.dispose](): void {
    this.#context[Symbol.dispose]();
    this.#model[Symbol.dispose]();
  }

  #decode(): void {
    const sequences = this.#batcher.planDecode();
    this.#apply();
    if (sequences.length === 0) return;
    this.#context.begin();
    for (const one of sequences) {
      this.#context.add(one.tokens[one.tokens.length - 1], one.tokens.length - 1, one.slot!, true);
    }
    const startedMs = this.#nowMs();
    if (!this.#compute(sequences)) return;
    sequences.forEach((one, row) => this.#batcher.decoded(one, this.#context.logits(row)));
    const rate = sequences.length / Math.max(0.001, this.#nowMs() - startedMs) * 1000;
    this.#decodeRate = blend(this.#decodeRate, rate);
  }

  #prefill(): void {
    const chunk = this.#batcher.planPrefill();
    this.#apply();
    if (chunk === undefined) return;
    this.#fill(chunk);
    const startedMs = this.#nowMs();
    if (!this.#compute([chunk.sequence])) return;
    const tookMs = this.#nowMs() - startedMs;
    const logits = chunk.last ? this.#context.logits(chunk.end - chunk.start - 1) : undefined;
    const body = logits && this.#inBlocks(() => this.#keepEnd(chunk.sequence, logits));
    this.#batcher.prefilled(chunk, { logits, host: body });
    const rate = (chunk.end - chunk.start) / Math.max(0.001, tookMs) * 1000;
    this.#prefillRate = blend(this.#prefillRate, rate);
  }

  /** Before the sampler writes to the row. Answers where the whole block is that the prompt may end with. */
  #keepEnd(sequence: Sequence, row: Float32Array): number | undefined {
    const canKeep = (tail: number) => this.#host.canKeepEnd(tail);
    const end = promptEnd(sequence, this.#batcher.kv, { blockSize, canKeep });
    return end && this.#host.keepEnd(this.#context, end, row);
  }

  #fill(chunk: PrefillChunk): void {
    const { sequence, start, end } = chunk;
    this.#context.begin();
    for (let at = start; at < end; at++) {
      this.#context.add(sequence.tokens[at], at, sequence.slot!, chunk.last && at === end - 1);
    }
  }

  /** Runs the batch; false where it did not compute. */
  #compute(sequences: readonly Sequence[]): boolean {
    const code = this.#context.decode();
    if (code === 0) {
      this.#failures = 0;
      return true;
    }
    if (code === 2 || this.#abort[0] !== 0) return false;
    this.#failures += 1;
    if (this.#failures > mostFailures) {
      throw new Error(`llama_decode failed ${this.#failures} times in a row (${code})`);
    }
    if (code === 1) this.#batcher.squeeze();
    else {
      const error =
        fail("engine_failed", `Cannot compute the step: llama.cpp answered ${code}`).error;
      this.#batcher.failed(sequences, error);
    }
    return false;
  }
}

/** The shape of a model with sliding windows; undefined where its blocks cannot be cut whole. */
function slidingShape(
  context: LlamaContext,
  { slidingWindow }: ModelFacts,
): StateShape | undefined {
  // What lies outside the window of a block's last token is not written.
  if (slidingWindow < blockSize) return undefined;
  const state = context.stateOfOneToken();
  return state === undefined ? undefined : shapeOfOneToken(state);
}

function notGiven(): Failure {
  const text = "the host tier is gone or has no room; the other worker computes the prompt";
  return fail("overloaded", `Cannot hand the prompt over: ${text}`).error;
}

function blend(old: number, fresh: number): number {
  return old === 0 ? fresh : old + rateWeight * (fresh - old);
}
