import { fail, layoutHash, ok } from "@pixii/wire";
import type { handoverWords, Result } from "@pixii/wire";
import type { Clock, Log, Thread, Threads } from "@pixii/runtime";
import type { BuiltArtifact } from "../artifact/build_artifact.ts";
import { refusalOf } from "../core/admission.ts";
import type {
  Engine,
  EngineCard,
  EngineLoad,
  EngineRequest,
  EngineSnapshot,
  StepBatch,
} from "../engine.ts";
import { blockSize } from "./engine_loop.ts";
import { HostLink } from "./host_link.ts";
import { kvTypes } from "./kv_type.ts";
import type { KvTypeName } from "./kv_type.ts";
import { StepQueue } from "./step_queue.ts";
import { SubmitLine } from "./submit_line.ts";
import { sharedLayout } from "./thread_messages.ts";
import type { FromThread, ThreadGauges, ToThread } from "./thread_messages.ts";

/** How long the thread may take to free its context and model before it is given up. */
const closeMs = 5_000;
/** How long a worker that ends gives its blocks to the host tier. */
const unloadMs = 5_000;
/** How long a snapshot may take: it waits for the running step. */
const snapshotMs = 30_000;

/** What the llama engine is opened with. */
export interface LlamaOptions {
  /** GGUF file. */
  readonly path: string;
  /** Most tokens of prompt plus output; 0 = the model's, up to 8192. */
  readonly ctx: number;
  /** KV cells; 0 = as many as the context. */
  readonly kvTokens: number;
  readonly maxSeqs: number;
  readonly maxWaiting: number;
  readonly threads: number;
  /** How K and V are stored. */
  readonly kvType: KvTypeName;
  /** Finished prompts that the device's cache keeps beside the running ones, as far as there are cells. */
  readonly kept: number;
  /** Reuse only KV computed by prefill. */
  readonly deterministic: boolean;
  /** Where the model's digest is remembered; empty = nowhere. */
  readonly cacheFolder: string;
  readonly threadsPort: Threads;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the thread said when it had opened. */
export type Opened = Extract<FromThread, { op: "opened" }>;

/** What an engine is made of: its thread runs, and what was read of its file. */
export interface LlamaParts extends LlamaOptions {
  readonly thread: Thread;
  readonly shared: SharedArrayBuffer;
  readonly artifact: BuiltArtifact;
  readonly kvBytesPerToken: number;
  readonly layers: number;
  readonly opened: Opened;
  readonly modelDigest: string;
  readonly createdAt: number;
}

/** llama.cpp behind the worker's shell: the main isolate's half, which speaks with the thread that computes. */
export class LlamaEngine implements Engine {
  readonly #parts: LlamaParts;
  readonly #card: EngineCard;
  readonly #state: Int32Array;
  readonly hostTier: HostLink | undefined;
  readonly #queue = new StepQueue();
  readonly #line = new SubmitLine({
    submit: (request, host) => this.#post({ op: "submit", request, host }),
    cancel: (stream) => this.#post({ op: "cancel", stream }),
  });
  readonly #live = new Set<number>();
  readonly #snapshots = new Map<number, (taken: Result<EngineSnapshot>) => void>();
  readonly #finished = Promise.withResolvers<void>();
  #gauges: ThreadGauges = {
    submits: 0,
    running: 0,
    waiting: 0,
    prefillTokens: 0,
    activeBlocks: 0,
    cachedBlocks: 0,
    prefillRate: 0,
    decodeRate: 0,
  };
  #stepSeen = { steps: -1, sinceMs: 0 };
  /** Prompt lengths of the submissions the thread has not seen yet. */
  readonly #unseen: number[] = [];
  #draining = false;
  #idle: (() => void)[] = [];
  #unloaded: () => void = () => {};
  #nextSnapshot = 1;
  #closed: Promise<void> | undefined;
  #failed = false;
  #over = false;

  constructor(parts: LlamaParts) {
    this.#parts = parts;
    this.#state = new Int32Array(parts.shared);
    const { facts, contextLength, cells, libraryVersion } = parts.opened;
    this.#card = {
      engine: "llama",
      modelDigest: parts.modelDigest,
      contextLength,
      blockSize,
      totalBlocks: Math.floor(cells / blockSize),
      kvBytesPerToken: parts.kvBytesPerToken,
      layoutFingerprint: `llama.cpp-${libraryVersion}/${parts.kvType}/${blockSize}/tp1/${
        parts.modelDigest.slice(0, 16)
      }`,
      reuse: "blocks",
      dpSize: 1,
      tpSize: 1,
      slidingWindow: facts.slidingWindow,
      maxSeqs: parts.maxSeqs,
      vocabSize: facts.vocabSize,
      artifactDigest: parts.artifact.digest,
      artifactBytes: parts.artifact.bytes.byteLength,
      eosTokenIds: [...new Set([...facts.endTokenIds, ...parts.artifact.vocabulary.eosTokenIds])],
      createdAt: parts.createdAt,
    };
    const { layers, kvBytesPerToken } = parts;
    const shape = facts.slidingWindow > 0
      ? parts.opened.shape
      : { layers, kvBytesPerToken, rowType: kvTypes[parts.kvType].ggml };
    if (shape === undefined) {
      parts.log.warn(
        "no host tier for this model: the state of its sliding windows cannot be cut into blocks",
        { slidingWindow: facts.slidingWindow },
      );
    } else {
      const layout = layoutHash(this.#card.layoutFingerprint);
      this.hostTier = new HostLink({
        kind: {
          ...{ layout, shape, blockSize, prefilledOnly: parts.deterministic },
          rowBytes: 4 * facts.vocabSize,
        },
        post: (message) => this.#post(message),
        prefillRate: () => this.#gauges.prefillRate,
      });
    }
    parts.thread.onMessage((data) => this.#receive(data as FromThread));
    parts.thread.onError((error) => this.#fail(`the engine thread died: ${error.message}`));
  }

  card(): EngineCard {
    return this.#card;
  }

  artifact(): Uint8Array {
    return this.#parts.artifact.bytes;
  }

  submit(request: EngineRequest): Result<void> {
    if (this.#failed) {
      return fail("engine_failed", "Cannot take the stream: the engine has failed; try elsewhere");
    }
    if (this.#draining) {
      return fail("draining", "Cannot take the stream: the engine is shutting down; try elsewhere");
    }
    if (request.adapter !== "") {
      return fail(
        "unsupported_parameter",
        "Cannot run the stream: adapters are not built yet; leave the adapter out",
      );
    }
    if (request.handover?.part === "give" && this.hostTier?.isOpen !== true) {
      const text = "this worker has no host tier; let the other worker compute the prompt";
      return fail("overloaded", `Cannot hand the prompt over: ${text}`);
    }
    const { contextLength, vocabSize } = this.#card;
    const mostStreams = this.#parts.maxSeqs + this.#parts.maxWaiting;
    const refused = refusalOf(request, { contextLength, vocabSize, mostStreams }, this.#live);
    if (refused !== undefined) return { ok: false, error: refused };
    this.#unseen.push(request.tokens.length);
    this.#live.add(request.stream);
    this.#line.add(request, this.hostTier?.find(request));
    return ok(undefined);
  }

  cancel(stream: number): void {
    if (this.#live.has(stream) && !this.#over) this.#line.cancel(stream);
  }

  handover(stream: number, word: typeof handoverWords[number]): void {
    this.hostTier?.handover(stream, word);
  }

  steps(): AsyncIterable<StepBatch> {
    return this.#queue;
  }

  load(): EngineLoad {
    const gauges = this.#gauges;
    const nowMs = this.#parts.clock.nowMs();
    const steps = Atomics.load(this.#state, sharedLayout.steps);
    const inStep = Atomics.load(this.#state, sharedLayout.inStep) === 1;
    if (!inStep || steps !== this.#stepSeen.steps) this.#stepSeen = { steps, sinceMs: nowMs };
    return {
      running: gauges.running,
      // What the thread's last report does not know yet waits.
      waiting: this.#live.size - gauges.running,
      prefillTokens: this.#unseen.reduce((sum, tokens) => sum + tokens, gauges.prefillTokens),
      activeBlocks: gauges.activeBlocks,
      cachedBlocks: gauges.cachedBlocks,
      prefillRate: gauges.prefillRate,
      decodeRate: gauges.decodeRate,
      totalBlocks: this.#card.totalBlocks,
      stepCount: steps,
      stepAgeMs: nowMs - this.#stepSeen.sinceMs,
    };
  }

  async snapshot(): Promise<Result<EngineSnapshot>> {
    if (this.#over) return this.#noSnapshot();
    const id = this.#nextSnapshot++;
    const { promise, resolve } = Promise.withResolvers<Result<EngineSnapshot>>();
    const late = fail("timeout", "Cannot take a snapshot: the engine does not answer; ask again");
    using _late = this.#parts.clock.timer(snapshotMs, () => resolve(late));
    this.#snapshots.set(id, resolve);
    this.#post({ op: "snapshot", id });
    try {
      return await promise;
    } finally {
      this.#snapshots.delete(id);
    }
  }

  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    await this.#untilIdle(signal);
    await this.#unload(signal);
  }

  async #untilIdle(signal: AbortSignal): Promise<void> {
    if (this.#live.size === 0 || this.#over) return;
    const cancelAll = () => {
      for (const stream of this.#live) this.cancel(stream);
    };
    signal.addEventListener("abort", cancelAll, { once: true });
    if (signal.aborted) cancelAll();
    await new Promise<void>((resolve) => this.#idle.push(resolve));
    signal.removeEventListener("abort", cancelAll);
  }

  /** Has the host tier keep what only the engine has, where there is one: it outlives this process. */
  async #unload(signal: AbortSignal): Promise<void> {
    const { hostTier } = this;
    if (this.#over || signal.aborted || hostTier?.isOpen !== true) return;
    if (this.#gauges.cachedBlocks === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#unloaded = resolve;
    using _late = this.#parts.clock.timer(unloadMs, resolve);
    signal.addEventListener("abort", () => resolve(), { once: true });
    this.#post({ op: "unload" });
    await Promise.race([promise.then(() => hostTier.settled()), aborted(signal)]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    const { thread, shared, clock, log } = this.#parts;
    this.#draining = true;
    if (!this.#over) {
      // A running decode call stops at the next graph node; the thread then ends the streams and frees what it holds.
      this.#line.flush();
      new Uint8Array(shared)[sharedLayout.abortByte] = 1;
      this.#post({ op: "close" });
      const late = () => {
        log.warn("the engine did not close in time: it ends with the process", { closeMs });
        this.#finish();
      };
      using _late = clock.timer(closeMs, late);
      await this.#finished.promise;
    }
    thread[Symbol.dispose]();
  }

  #post(message: ToThread): void {
    // Told first: a thread that computes looks here whether something is on its way.
    Atomics.add(this.#state, sharedLayout.posted, 1);
    this.#parts.thread.post(message);
  }

  #receive(message: FromThread): void {
    if (message.op === "step") {
      this.#unseen.splice(0, message.gauges.submits - this.#gauges.submits);
      this.#gauges = message.gauges;
      for (const output of message.outputs) {
        if (output.extra?.end === undefined) continue;
        this.#live.delete(output.stream);
        this.hostTier?.ended(output.stream);
      }
      if (message.host !== undefined) this.hostTier?.report(message.host);
      if (message.gauges.cachedBlocks === 0) this.#unloaded();
      this.#queue.push(message);
      if (this.#live.size === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
    } else if (message.op === "snapshot") {
      const { id, step, kvEvents } = message;
      this.#snapshots.get(id)?.(ok({ step, kvEvents }));
    } else if (message.op === "pool-left") this.hostTier?.left(message.generation);
    else if (message.op === "failed") this.#fail(message.message);
    else if (message.op === "closed") this.#finish();
  }

  #fail(message: string): void {
    if (this.#over) return;
    this.#failed = true;
    this.#queue.fail(new Error(message));
    this.#finish();
  }

  #noSnapshot(): Result<never> {
    return this.#failed
      ? fail("engine_failed", "Cannot take a snapshot: the engine has failed; ask another worker")
      : fail("draining", "Cannot take a snapshot: the engine was shut down; ask another worker");
  }

  /** No step follows: whoever waits for one is told. */
  #finish(): void {
    this.#over = true;
    this.hostTier?.end();
    this.#queue.end();
    for (const resolve of this.#snapshots.values()) resolve(this.#noSnapshot());
    for (const resolve of this.#idle.splice(0)) resolve();
    this.#unloaded();
    this.#finished.resolve();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}
