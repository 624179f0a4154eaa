import {
  decode,
  encode,
  encodeRecord,
  fail,
  keys,
  limits,
  subjects as subjectsOf,
  xxh64,
} from "@pixii/wire";
import type { Control, Failure, GenerateRequest, ModelCard, Subjects } from "@pixii/wire";
import type { Health, Registration, Service, ServiceContext } from "@pixii/runtime";
import { StreamBook } from "./core/stream_book.ts";
import type { StreamRecord } from "./core/stream_book.ts";
import type { Engine, StepBatch } from "./engine.ts";
import { FrameSender } from "./frame_sender.ts";
import { KvPublisher, partOf } from "./kv_publisher.ts";
import { workerMetrics } from "./metrics.ts";
import type { WorkerMetrics } from "./metrics.ts";

/** Least time between two load reports that a change asked for. */
const loadChangeMs = 20;
/** How often lost streams are looked for. */
const expireEveryMs = 250;

/** What the shell needs besides the engine. */
export interface ShellOptions {
  readonly card: ModelCard;
  /** An engine step longer than this fails the worker. */
  readonly hangMs: number;
}

/** The worker's shell: requests in, engine called, step frames, KV events and load reports out. */
export class WorkerShell implements Service {
  readonly failed: Promise<Error>;
  readonly #engine: Engine;
  readonly #context: ServiceContext;
  readonly #card: ModelCard;
  readonly #subjects: Subjects;
  readonly #metrics: WorkerMetrics;
  readonly #frames: FrameSender;
  readonly #kv: KvPublisher;
  readonly #hangMs: number;
  readonly #book = new StreamBook({
    renewLostMs: limits.renewLostMs,
    keepMs: limits.resumeKeepMs,
    tombstones: 4096,
  });
  readonly #open: Disposable[] = [];
  #registration: Registration | undefined;
  #loadTimer: Disposable | undefined;
  #stepCount = 0;
  #draining = false;
  #disposed = false;
  #fail: (error: Error) => void = () => {};
  #pump: Promise<void> = Promise.resolve();

  constructor(engine: Engine, context: ServiceContext, options: ShellOptions) {
    this.#engine = engine;
    this.#context = context;
    this.#card = options.card;
    this.#hangMs = options.hangMs;
    this.#subjects = subjectsOf(context.namespace);
    this.#metrics = workerMetrics(context.metrics);
    const { bus, clock } = context;
    const shared = { bus, subjects: this.#subjects, metrics: this.#metrics };
    this.#frames = new FrameSender({ ...shared, worker: options.card.instance });
    this.#kv = new KvPublisher({ ...shared, clock, card: options.card });
    this.failed = new Promise((resolve) => this.#fail = resolve);
  }

  /** Subscribes, starts the pump and the timers, then registers the model: from here on requests come. */
  async open(): Promise<void> {
    const { bus, clock, registry, namespace, instance } = this.#context;
    this.#open.push(
      bus.serve(this.#subjects.generate(instance), (bytes) => this.#generate(bytes)),
      bus.serve(this.#subjects.control(instance), (bytes) => this.#control(bytes)),
      clock.every(limits.loadEveryMs, () => this.#tick()),
      clock.every(expireEveryMs, () => this.#expire()),
    );
    this.#context.metrics.onCollect(() => this.#collect());
    this.#pump = this.#run();
    await bus.flush();
    const key = keys(namespace).model(this.#card.hash, instance);
    const registered = await registry.register(key, encodeRecord("model", this.#card));
    if (!registered.ok) throw new Error(registered.error.message);
    this.#registration = registered.value;
    this.#publishLoad();
  }

  health(): Health {
    const load = this.#engine.load();
    return {
      status: this.#draining ? "draining" : "ready",
      details: {
        model: this.#card.name,
        engine: this.#card.engine,
        context_length: this.#card.contextLength,
        running: load.running,
        waiting: load.waiting,
        kv_blocks: {
          active: load.activeBlocks,
          cached: load.cachedBlocks,
          total: load.totalBlocks,
        },
        bus: this.#context.bus.status,
        tiers: "device only: host and disk tiers come later",
      },
    };
  }

  /** Refuses new streams and waits for the running ones; the card stays until then, so nobody gives them up. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#draining = true;
    this.#publishLoad();
    await this.#engine.drain(signal);
    await this.#context.bus.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#registration?.[Symbol.asyncDispose]();
    for (const one of this.#open) one[Symbol.dispose]();
    this.#loadTimer?.[Symbol.dispose]();
    await this.#engine[Symbol.asyncDispose]();
    await this.#pump;
  }

  #refuse(error: Failure): Uint8Array {
    this.#metrics.requests.add(1, { result: error.code });
    return encode("refusal", { error });
  }

  #generate(bytes: Uint8Array): Uint8Array {
    const decoded = decode("generateRequest", bytes);
    if (!decoded.ok) return this.#refuse(decoded.error);
    const request = decoded.value;
    if (request.model !== this.#card.name) {
      return this.#refuse(
        fail(
          "model_not_found",
          `Cannot run ${request.model}: this worker serves ${this.#card.name}`,
        )
          .error,
      );
    }
    const key = { requestId: request.requestId, attempt: request.attempt, leg: request.leg };
    const admitted = this.#book.admit({ ...request, key }, this.#context.clock.nowMs());
    if (admitted.kind === "cancelled") {
      return this.#refuse(fail("cancelled", "Cannot run the stream: it was cancelled").error);
    }
    if (admitted.kind === "new") {
      const refused = this.#submit(request, admitted.record);
      if (refused !== undefined) {
        this.#book.drop(admitted.record);
        return this.#refuse(refused);
      }
      this.#metrics.requests.add(1, { result: "accepted" });
      this.#metrics.promptTokens.add(request.tokens.byteLength / 4);
      this.#loadChanged();
    }
    const { record } = admitted;
    const firstIndex = record.firstIndex;
    const entry = { record, firstIndex, tokens: [], extra: undefined };
    return this.#frames.single(entry, { accepted: true, step: this.#stepCount });
  }

  #submit(request: GenerateRequest, record: StreamRecord): Failure | undefined {
    if (this.#draining) {
      return fail("draining", "Cannot take the stream: the worker is shutting down").error;
    }
    const tokens = new Uint32Array(request.tokens.byteLength / 4);
    const view = new DataView(request.tokens.buffer, request.tokens.byteOffset);
    for (let i = 0; i < tokens.length; i++) tokens[i] = view.getUint32(4 * i, true);
    const submitted = this.#engine.submit({
      stream: record.stream,
      key: record.key,
      tokens,
      emitted: request.emitted,
      choice: request.choice,
      sampling: request.sampling,
      stop: request.stop,
      tenantSalt: request.tenantSalt,
      adapter: request.adapter,
      priority: request.priority,
    });
    return submitted.ok ? undefined : submitted.error;
  }

  async #control(bytes: Uint8Array): Promise<Uint8Array> {
    const decoded = decode("control", bytes);
    if (!decoded.ok) return encode("refusal", { error: decoded.error });
    const answer = await this.#answer(decoded.value);
    return answer instanceof Uint8Array ? answer : encode("refusal", { error: answer });
  }

  async #answer(message: Control): Promise<Uint8Array | Failure> {
    switch (message.op) {
      case "cancel": {
        const record = this.#book.cancel(message);
        if (record !== undefined) this.#engine.cancel(record.stream);
        return new Uint8Array();
      }
      case "renew": {
        const nowMs = this.#context.clock.nowMs();
        const missed = this.#book.renew(message.frontend, message.streams, nowMs);
        for (const record of missed) this.#resend(record, record.firstIndex, "renew");
        if (missed.length > 0) this.#frames.send(this.#stepCount);
        return new Uint8Array();
      }
      case "resume": {
        const record = this.#book.find(message);
        const missing = record === undefined
          ? undefined
          : this.#book.resume(record, message.fromIndex);
        if (record === undefined || missing === undefined) {
          return fail("stream_unknown", "Cannot resume the stream: this worker does not have it")
            .error;
        }
        this.#metrics.resumes.add(1, { cause: "asked" });
        return this.#frames.single({ record, ...missing }, {
          accepted: false,
          step: this.#stepCount,
        });
      }
      case "artifact": {
        if (message.digest !== this.#card.artifactDigest) {
          return fail("not_found", "Cannot send the artifact: this worker has another one").error;
        }
        const part = partOf(this.#engine.artifact(), message.offset);
        return part.ok ? part.value : part.error;
      }
      case "snapshot":
        return await this.#kv.freeze(this.#engine);
      case "snapshot-part": {
        const part = this.#kv.part(message.id, message.offset);
        return part.ok ? part.value : part.error;
      }
    }
  }

  #resend(record: StreamRecord, fromIndex: number, cause: string): void {
    const missing = this.#book.resume(record, fromIndex);
    if (missing === undefined) return;
    this.#metrics.resumes.add(1, { cause });
    this.#frames.add({ record, ...missing });
  }

  async #run(): Promise<void> {
    try {
      for await (const batch of this.#engine.steps()) this.#step(batch);
    } catch (error) {
      this.#context.log.error("the engine failed", { error: (error as Error).message });
      this.#fail(error as Error);
    }
  }

  #step(batch: StepBatch): void {
    const nowMs = this.#context.clock.nowMs();
    this.#stepCount = batch.step;
    let ended = false;
    for (const output of batch.outputs) {
      const record = this.#book.emit(output, nowMs);
      if (record === undefined) continue;
      this.#frames.add({
        record,
        firstIndex: output.firstIndex,
        tokens: output.tokens,
        extra: output.extra,
      });
      this.#metrics.outputTokens.add(output.tokens.length);
      if (output.extra === undefined) continue;
      this.#count(output.extra);
      ended ||= output.extra.end !== undefined;
    }
    this.#frames.send(batch.step);
    this.#kv.publish(batch.step, batch.kvEvents);
    if (ended) this.#loadChanged();
  }

  #count(extra: NonNullable<StepBatch["outputs"][number]["extra"]>): void {
    if (extra.cached !== undefined) {
      this.#metrics.cachedTokens.add(extra.cached.device, { tier: "device" });
    }
    if (extra.end === undefined) return;
    this.#metrics.finished.add(1, { reason: extra.end.reason });
    const error = extra.end.error;
    if (error !== undefined) {
      this.#context.log.warn("a stream failed", { code: error.code, message: error.message });
    }
  }

  #expire(): void {
    for (const record of this.#book.expire(this.#context.clock.nowMs())) {
      this.#metrics.expired.add();
      this.#context.log.warn("nobody renewed a stream: cancelled", {
        request: record.key.requestId,
        frontend: record.frontend,
      });
      this.#engine.cancel(record.stream);
    }
  }

  #tick(): void {
    this.#publishLoad();
    const ageMs = this.#engine.load().stepAgeMs;
    if (ageMs > this.#hangMs) {
      this.#fail(new Error(`the engine has been in one step for ${Math.round(ageMs)} ms`));
    }
  }

  #loadChanged(): void {
    this.#loadTimer ??= this.#context.clock.timer(loadChangeMs, () => {
      this.#loadTimer = undefined;
      this.#publishLoad();
    });
  }

  #publishLoad(): void {
    const digest = { hi: 0, lo: 0 };
    let activeStreams = 0;
    const text = new TextEncoder();
    for (const key of this.#book.liveKeys()) {
      const hash = xxh64(text.encode(key));
      digest.hi = (digest.hi ^ hash.hi) >>> 0;
      digest.lo = (digest.lo ^ hash.lo) >>> 0;
      activeStreams += 1;
    }
    const report = encode("loadReport", {
      ...this.#engine.load(),
      instance: this.#card.instance,
      dpRank: 0,
      model: this.#card.hash,
      role: this.#card.role,
      draining: this.#draining,
      maxSeqs: this.#card.maxSeqs,
      kvEventNumber: this.#kv.number,
      activeStreams,
      activeDigestHi: digest.hi,
      activeDigestLo: digest.lo,
    });
    // Latest wins: a report the bus refuses is made good by the next.
    this.#context.bus.publish(this.#subjects.load(this.#card.instance), report);
  }

  #collect(): void {
    const load = this.#engine.load();
    this.#metrics.running.set(load.running);
    this.#metrics.waiting.set(load.waiting);
    this.#metrics.prefillTokens.set(load.prefillTokens);
    this.#metrics.steps.set(load.stepCount);
    this.#metrics.blocks.set(load.activeBlocks, { state: "active" });
    this.#metrics.blocks.set(load.cachedBlocks, { state: "cached" });
    this.#metrics.blocks.set(load.totalBlocks, { state: "total" });
  }
}
