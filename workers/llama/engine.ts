import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Clock, Log, Thread, Threads } from "@pixii/runtime";
import { buildArtifact } from "../artifact/build_artifact.ts";
import type { BuiltArtifact } from "../artifact/build_artifact.ts";
import { refusalOf } from "../core/admission.ts";
import type { Engine, EngineCard, EngineLoad, EngineRequest, StepBatch } from "../engine.ts";
import { readGguf } from "../gguf/reader.ts";
import { blockSize } from "./engine_loop.ts";
import { fileDigest } from "./model_digest.ts";
import { StepQueue } from "./step_queue.ts";
import { sharedLayout } from "./thread_messages.ts";
import type { FromThread, ThreadGauges, ToThread } from "./thread_messages.ts";

/** How long the thread may take to free its context and model before it is given up. */
const closeMs = 5_000;
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
  /** Reuse only KV computed by prefill. */
  readonly deterministic: boolean;
  readonly threadsPort: Threads;
  readonly clock: Clock;
  readonly log: Log;
}

type Opened = Extract<FromThread, { op: "opened" }>;

/** Opens llama.cpp on a GGUF file, or says in one sentence why not. */
export async function openLlamaEngine(options: LlamaOptions): Promise<Result<Engine>> {
  const gguf = await readGguf(options.path);
  if (!gguf.ok) return gguf;
  const artifact = await buildArtifact(gguf.value);
  if (!artifact.ok) return artifact;
  const shared = new SharedArrayBuffer(sharedLayout.bytes);
  const thread = options.threadsPort.start(new URL("./thread.ts", import.meta.url), "llama");
  const digest = fileDigest(options.path);
  const opened = await new Promise<Opened | Extract<FromThread, { op: "refused" }>>((resolve) => {
    const refuse = (message: string) =>
      resolve({ op: "refused", error: fail("internal", message).error });
    thread.onError((error) => refuse(`Cannot start the engine thread: ${error.message}`));
    thread.onMessage((data) => {
      const message = data as FromThread;
      if (message.op === "opened" || message.op === "refused") resolve(message);
      if (message.op === "failed") refuse(message.message);
    });
    thread.post(
      {
        op: "open",
        path: options.path,
        contextLength: options.ctx,
        kvTokens: options.kvTokens,
        maxSeqs: options.maxSeqs,
        maxWaiting: options.maxWaiting,
        threads: options.threads,
        deterministic: options.deterministic,
        endTokenIds: artifact.value.vocabulary.eosTokenIds,
        shared,
      } satisfies ToThread,
    );
  });
  if (opened.op === "refused") {
    thread[Symbol.dispose]();
    await digest;
    return { ok: false, error: opened.error };
  }
  const { mtime } = await Deno.stat(options.path);
  return ok(
    new LlamaEngine({
      ...options,
      thread,
      shared,
      artifact: artifact.value,
      opened,
      modelDigest: await digest,
      createdAt: Math.floor((mtime?.getTime() ?? 0) / 1000),
    }),
  );
}

interface Parts extends LlamaOptions {
  readonly thread: Thread;
  readonly shared: SharedArrayBuffer;
  readonly artifact: BuiltArtifact;
  readonly opened: Opened;
  readonly modelDigest: string;
  readonly createdAt: number;
}

class LlamaEngine implements Engine {
  readonly #parts: Parts;
  readonly #card: EngineCard;
  readonly #state: Int32Array;
  readonly #queue = new StepQueue();
  readonly #live = new Set<number>();
  readonly #snapshots = new Map<
    number,
    (message: Extract<FromThread, { op: "snapshot" }>) => void
  >();
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
  #nextSnapshot = 1;
  #closed: Promise<void> | undefined;
  #failed = false;
  #onClosed: () => void = () => {};

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#state = new Int32Array(parts.shared);
    const { facts, contextLength, cells, libraryVersion } = parts.opened;
    this.#card = {
      engine: "llama",
      modelDigest: parts.modelDigest,
      contextLength,
      blockSize,
      totalBlocks: Math.floor(cells / blockSize),
      kvBytesPerToken: facts.kvBytesPerToken,
      layoutFingerprint: `llama.cpp-${libraryVersion}/f16/${blockSize}/${
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
    if (this.#failed) return fail("engine_failed", "Cannot take the stream: the engine has failed");
    if (this.#draining) {
      return fail("draining", "Cannot take the stream: the engine is shutting down");
    }
    if (request.adapter !== "") {
      return fail(
        "unsupported_parameter",
        "Cannot run the stream: adapters are not built yet; leave the adapter out",
      );
    }
    const { contextLength, vocabSize } = this.#card;
    const mostStreams = this.#parts.maxSeqs + this.#parts.maxWaiting;
    const refused = refusalOf(request, { contextLength, vocabSize, mostStreams }, this.#live);
    if (refused !== undefined) return { ok: false, error: refused };
    this.#unseen.push(request.tokens.length);
    this.#live.add(request.stream);
    this.#post({ op: "submit", request });
    return ok(undefined);
  }

  cancel(stream: number): void {
    if (this.#live.has(stream)) this.#post({ op: "cancel", stream });
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

  async snapshot(): Promise<Awaited<ReturnType<Engine["snapshot"]>>> {
    const id = this.#nextSnapshot++;
    using deadline = this.#parts.clock.deadline(snapshotMs);
    try {
      return await new Promise((resolve, reject) => {
        deadline.signal.addEventListener("abort", () => reject(deadline.signal.reason), {
          once: true,
        });
        this.#snapshots.set(id, resolve);
        this.#post({ op: "snapshot", id });
      });
    } finally {
      this.#snapshots.delete(id);
    }
  }

  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    if (this.#live.size === 0) return;
    const cancelAll = () => {
      for (const stream of this.#live) this.cancel(stream);
    };
    signal.addEventListener("abort", cancelAll, { once: true });
    if (signal.aborted) cancelAll();
    await new Promise<void>((resolve) => this.#idle.push(resolve));
    signal.removeEventListener("abort", cancelAll);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    const { thread, shared, clock } = this.#parts;
    this.#draining = true;
    // A running decode call stops at the next graph node; the thread then frees context and model by itself.
    new Uint8Array(shared)[sharedLayout.abortByte] = 1;
    const closed = new Promise<void>((resolve) => this.#onClosed = resolve);
    if (!this.#failed) this.#post({ op: "close" });
    else this.#onClosed();
    {
      using _late = clock.timer(closeMs, () => this.#onClosed());
      await closed;
    }
    thread[Symbol.dispose]();
    this.#queue.end();
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #post(message: ToThread): void {
    this.#parts.thread.post(message);
  }

  #receive(message: FromThread): void {
    if (message.op === "step") {
      this.#unseen.splice(0, message.gauges.submits - this.#gauges.submits);
      this.#gauges = message.gauges;
      for (const output of message.outputs) {
        if (output.extra?.end !== undefined) this.#live.delete(output.stream);
      }
      this.#queue.push(message);
      if (this.#live.size === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
    } else if (message.op === "snapshot") this.#snapshots.get(message.id)?.(message);
    else if (message.op === "failed") this.#fail(message.message);
    else if (message.op === "closed") this.#onClosed();
  }

  #fail(message: string): void {
    this.#failed = true;
    this.#queue.fail(new Error(message));
    this.#onClosed();
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
