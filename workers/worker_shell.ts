import {
  decodeGenerateRequest,
  encode,
  encodeRecord,
  fail,
  keys,
  limits,
  streamKeyText,
  subjects as subjectsOf,
} from "@pixii/wire";
import type {
  Failure,
  GenerateRequest,
  InstanceId,
  ModelCard,
  RoleState,
  Subjects,
} from "@pixii/wire";
import type { Health, Registration, Service, ServiceContext } from "@pixii/runtime";
import { ControlDesk } from "./control_desk.ts";
import type { LiveKinds } from "./core/role_turn.ts";
import { StreamBook } from "./core/stream_book.ts";
import type { StreamRecord } from "./core/stream_book.ts";
import type { Engine } from "./engine.ts";
import { workerMetrics } from "./metrics.ts";
import type { WorkerMetrics } from "./metrics.ts";
import { kindOf, RoleDesk } from "./role_desk.ts";
import { StepOutlet } from "./step_outlet.ts";
import { sumOf } from "./worker_rank.ts";
import type { WorkerRank } from "./worker_rank.ts";

/** How often lost streams are looked for. */
const expireEveryMs = 250;
/** Cancelled streams remembered, so that a late `generate` does not run. */
const tombstones = 4096;

/** What the shell needs besides the engines. */
export interface ShellOptions {
  readonly card: ModelCard;
  /** An engine step longer than this fails the worker. */
  readonly hangMs: number;
  /** A change of role takes at most this long, where its wish says nothing else; then the old role stays. */
  readonly roleMs: number;
  /** The host tier of its KV; the shell ends it. */
  readonly store?: ShellStore;
}

/** What the shell needs of a host tier. */
export interface ShellStore extends AsyncDisposable {
  readonly kvbm: InstanceId | undefined;
  onKvbm(listener: (kvbm: InstanceId | undefined) => void): void;
}

/** The worker's shell: requests and control in, the engines of its ranks called; `StepOutlet` is the way out. */
export class WorkerShell implements Service {
  readonly failed: Promise<Error>;
  readonly #context: ServiceContext;
  readonly #card: ModelCard;
  readonly #subjects: Subjects;
  readonly #metrics: WorkerMetrics;
  readonly #hangMs: number;
  readonly #store: ShellStore | undefined;
  readonly #book = new StreamBook({
    renewLostMs: limits.renewLostMs,
    keepMs: limits.resumeKeepMs,
    tombstones,
  });
  readonly #outlet: StepOutlet;
  readonly #ranks: readonly WorkerRank[];
  readonly #desk: ControlDesk;
  readonly #roles: RoleDesk;
  readonly #open: Disposable[] = [];
  #registration: Registration | undefined;
  #disposed = false;
  #fail: (error: Error) => void = () => {};
  #pumps: readonly Promise<void>[] = [];

  constructor(engines: readonly Engine[], context: ServiceContext, options: ShellOptions) {
    this.#context = context;
    this.#card = options.card;
    this.#hangMs = options.hangMs;
    this.#store = options.store;
    this.#subjects = subjectsOf(context.namespace);
    this.#metrics = workerMetrics(context.metrics);
    this.#outlet = new StepOutlet(engines, {
      context,
      card: options.card,
      subjects: this.#subjects,
      metrics: this.#metrics,
      book: this.#book,
    });
    this.#ranks = this.#outlet.ranks;
    const { card, roleMs } = options;
    this.#roles = new RoleDesk({
      ...{ role: card.role, clock: context.clock, log: context.log, metrics: this.#metrics },
      ...{ boundMs: roleMs, live: () => this.#liveKinds() },
      onChange: (state, isRoleNew) => this.#roleChanged(state, isRoleNew),
    });
    this.#desk = new ControlDesk({
      ...{ card, clock: context.clock, book: this.#book, outlet: this.#outlet },
      role: (wish) => this.#roles.wish(wish),
    });
    this.failed = new Promise((resolve) => this.#fail = resolve);
  }

  /** Subscribes, starts the pumps and the timers, then registers the model: from here on requests come. */
  async open(): Promise<void> {
    const { bus, clock, registry, namespace, instance } = this.#context;
    this.#open.push(
      bus.serve(this.#subjects.generate(instance), (bytes) => this.#generate(bytes)),
      bus.serve(this.#subjects.control(instance), (bytes) => this.#desk.answer(bytes)),
      clock.every(limits.loadEveryMs, () => this.#tick()),
      clock.every(expireEveryMs, () => this.#expire()),
    );
    this.#context.metrics.onCollect(() => this.#collect());
    this.#pumps = this.#ranks.map((rank) => this.#pump(rank));
    await bus.flush();
    const key = keys(namespace).model(this.#card.hash, instance);
    const registered = await registry.register(key, this.#cardText());
    if (!registered.ok) throw new Error(registered.error.message);
    this.#registration = registered.value;
    this.#store?.onKvbm(() => {
      if (!this.#disposed) void this.#registration?.update(this.#cardText());
    });
    // It may have come while the card was on its way.
    if (this.#store?.kvbm !== undefined) void this.#registration.update(this.#cardText());
    this.#outlet.reportAll();
    await this.#roles.follow(registry, namespace, instance);
  }

  health(): Health {
    const load = sumOf(this.#ranks.map((rank) => rank.engine.load()));
    return {
      status: this.#outlet.isDraining ? "draining" : "ready",
      details: {
        model: this.#card.name,
        engine: this.#card.engine,
        context_length: this.#card.contextLength,
        ranks: this.#ranks.length,
        running: load.running,
        waiting: load.waiting,
        kv_blocks: {
          active: load.activeBlocks,
          cached: load.cachedBlocks,
          total: load.totalBlocks,
        },
        bus: this.#context.bus.status,
        kvbm: this.#store?.kvbm ?? "none",
        ...this.#roles.state,
      },
    };
  }

  /** Refuses new streams and waits for the running ones; the card stays until then, so nobody gives them up. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#roles.end("the worker shuts down");
    this.#outlet.isDraining = true;
    this.#outlet.reportAll();
    await Promise.all(this.#ranks.map((rank) => rank.engine.drain(signal)));
    // The last words may still be on their way from the engine.
    await this.#outlet.quiet();
    await this.#context.bus.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#roles[Symbol.dispose]();
    await this.#registration?.[Symbol.asyncDispose]();
    for (const one of this.#open) one[Symbol.dispose]();
    await Promise.all(this.#ranks.map((rank) => rank.engine[Symbol.asyncDispose]()));
    await Promise.all(this.#pumps);
    this.#outlet[Symbol.dispose]();
    await this.#store?.[Symbol.asyncDispose]();
  }

  /** The card names the kvbm in use: the router counts that one's blocks for this worker. */
  #cardText(): string {
    const { role } = this.#roles.state;
    return encodeRecord("model", { ...this.#card, role, kvbm: this.#store?.kvbm });
  }

  /** Reports go out at once: routers follow those; the card follows for who reads only that. */
  #roleChanged(state: RoleState, isRoleNew: boolean): void {
    this.#outlet.roleState = state;
    this.#outlet.reportAll();
    if (isRoleNew && !this.#disposed) void this.#registration?.update(this.#cardText());
  }

  #liveKinds(): LiveKinds {
    const live = { prompts: 0, answers: 0 };
    for (const { dpRank } of this.#ranks) {
      for (const { key } of this.#book.liveOf(dpRank)) live[kindOf(key)] += 1;
    }
    return live;
  }

  async #pump(rank: WorkerRank): Promise<void> {
    try {
      await this.#outlet.run(rank);
    } catch (error) {
      const { message } = error as Error;
      this.#context.log.error("the engine failed", { error: message, rank: rank.dpRank });
      this.#fail(error as Error);
    }
  }

  #refuse(error: Failure): Uint8Array {
    this.#metrics.requests.add(1, { result: error.code });
    return encode("refusal", { error });
  }

  #generate(bytes: Uint8Array): Uint8Array {
    const decoded = decodeGenerateRequest(bytes);
    if (!decoded.ok) return this.#refuse(decoded.error);
    const request = decoded.value;
    const refused = this.#misplaced(request);
    if (refused !== undefined) return this.#refuse(refused);
    const key = { requestId: request.requestId, attempt: request.attempt, leg: request.leg };
    const rank = this.#ranks[request.dpRank ?? 0];
    const admitted = this.#book.admit(
      { ...request, key, rank: rank.dpRank },
      this.#context.clock.nowMs(),
    );
    if (admitted.kind === "cancelled") {
      return this.#refuse(fail("cancelled", "Cannot run the stream: it was cancelled").error);
    }
    if (admitted.kind === "new") {
      const refused = this.#submit(rank, request, admitted.record);
      if (refused !== undefined) {
        this.#book.drop(admitted.record);
        return this.#refuse(refused);
      }
      this.#metrics.requests.add(1, { result: "accepted" });
      this.#metrics.promptTokens.add(request.tokens.byteLength / 4);
      this.#outlet.loadChanged(rank);
    }
    return this.#outlet.accepted(admitted.record);
  }

  /** Why a request cannot be this worker's. */
  #misplaced({ model, dpRank = 0, remainingMs }: GenerateRequest): Failure | undefined {
    if (model !== this.#card.name) {
      const message = `Cannot run ${model}: this worker serves ${this.#card.name}`;
      return fail("model_not_found", message).error;
    }
    if (dpRank >= this.#ranks.length) {
      const message =
        `Cannot run the stream on rank ${dpRank}: this worker has ${this.#ranks.length}; ask the router again`;
      return fail("no_worker", message).error;
    }
    if (remainingMs > 0) return undefined;
    return fail("timeout", "Cannot run the stream: its time is over; allow more").error;
  }

  #submit(rank: WorkerRank, request: GenerateRequest, record: StreamRecord): Failure | undefined {
    if (this.#outlet.isDraining) {
      return fail("draining", "Cannot take the stream: the worker is shutting down").error;
    }
    if (this.#roles.refuses(record.key)) {
      return fail("draining", "Cannot take the stream: the worker is changing its role").error;
    }
    const submitted = rank.engine.submit({
      stream: record.stream,
      key: record.key,
      // A copy of its own, aligned; every machine that Deno runs on is little-endian.
      tokens: new Uint32Array(new Uint8Array(request.tokens).buffer),
      emitted: request.emitted,
      choice: request.choice,
      sampling: request.sampling,
      stop: request.stop,
      tenantSalt: request.tenantSalt,
      adapter: request.adapter,
      priority: request.priority,
      handover: request.handover,
      holder: request.holder,
    });
    return submitted.ok ? undefined : submitted.error;
  }

  #engineOf(record: StreamRecord): Engine {
    return this.#ranks[record.rank].engine;
  }

  #expire(): void {
    for (const record of this.#book.expire(this.#context.clock.nowMs())) {
      this.#metrics.expired.add();
      this.#context.log.warn("nobody renewed a stream, or its time is over: cancelled", {
        stream: streamKeyText(record.key),
        frontend: record.frontend,
      });
      this.#engineOf(record).cancel(record.stream);
    }
    this.#outlet.prune();
  }

  #tick(): void {
    for (const { stepAgeMs } of this.#outlet.reportAll()) {
      if (stepAgeMs <= this.#hangMs) continue;
      this.#fail(new Error(`the engine has been in one step for ${Math.round(stepAgeMs)} ms`));
    }
  }

  #collect(): void {
    const load = sumOf(this.#ranks.map((rank) => rank.engine.load()));
    this.#metrics.outputTokens.add(this.#outlet.takeOutputTokens());
    this.#metrics.running.set(load.running);
    this.#metrics.waiting.set(load.waiting);
    this.#metrics.prefillTokens.set(load.prefillTokens);
    this.#metrics.steps.set(load.stepCount);
    this.#metrics.blocks.set(load.activeBlocks, { state: "active" });
    this.#metrics.blocks.set(load.cachedBlocks, { state: "cached" });
    this.#metrics.blocks.set(load.totalBlocks, { state: "total" });
  }
}
