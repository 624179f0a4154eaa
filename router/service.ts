import {
  decode,
  decodeKvEvents,
  decodeRouteRequest,
  encode,
  fail,
  limits,
  routerQueue,
  subjects as subjectsOf,
} from "@pixii/wire";
import type { Failure, ModelHash, RouteRequest, Subjects } from "@pixii/wire";
import { StartError } from "@pixii/runtime";
import type { Health, Service, ServiceContext, ServiceSpec, Subscription } from "@pixii/runtime";
import { routerSchema, rulesOf } from "./config.ts";
import type { RouterConfig } from "./config.ts";
import type { Decision } from "./core/decide.ts";
import { RouterState } from "./core/router_state.ts";
import { routerMetrics } from "./metrics.ts";
import type { RouterMetrics } from "./metrics.ts";
import { watchRegistry } from "./registry_watch.ts";
import { SnapshotKeeper } from "./snapshot_keeper.ts";
import { decisionsView, indexView, rankState, rankStates, workersView } from "./views.ts";

/** How often lost batches are looked for and due snapshots begun. */
const streamTickMs = 50;
/** A timer this late means that our own event loop stood still: others' silence in that time was ours. */
const stallMs = 100;
/** After a reconnect workers get this long to be heard again. */
const reconnectGraceMs = 1_000;
/** States of event sources, for gauges. */
const sourceStates = ["new", "exact", "behind", "degraded"] as const;

/** The shell: events, reports, ledger and cards in, decisions out. */
class Router implements Service {
  readonly adminRoutes = {
    "/decisions": (url: URL) => decisionsView(this.#state, url),
    "/index": () => indexView(this.#state),
    "/workers": () => workersView(this.#state, this.#context.clock.nowMs()),
  };
  readonly #context: ServiceContext;
  readonly #state: RouterState;
  readonly #metrics: RouterMetrics;
  readonly #subjects: Subjects;
  readonly #snapshots: SnapshotKeeper;
  readonly #routes = new Map<ModelHash, Subscription>();
  readonly #open = new DisposableStack();
  readonly #draw: () => number;
  #isDraining = false;
  #sweptMs: number;

  constructor(config: RouterConfig, context: ServiceContext) {
    const { bus, clock, log, chance } = context;
    this.#context = context;
    this.#subjects = subjectsOf(context.namespace);
    this.#metrics = routerMetrics(context.metrics);
    this.#state = new RouterState(rulesOf(config, context.instance));
    this.#draw = () => chance.float();
    this.#sweptMs = clock.nowMs();
    this.#snapshots = this.#open.use(
      new SnapshotKeeper({
        ...{ bus, clock, log, subjects: this.#subjects },
        ...{ state: this.#state, metrics: this.#metrics },
      }),
    );
  }

  /** Listens first and then reads the registry: nothing is missed in between. */
  async open(): Promise<void> {
    const { bus, clock, registry, namespace, log, metrics } = this.#context;
    const { allKvEvents, allLoad, ledger } = this.#subjects;
    const open = this.#open;
    open.use(bus.subscribe(allKvEvents, ({ payload }) => this.#onEvents(payload)));
    open.use(bus.subscribe(allLoad, ({ payload }) => this.#onLoad(payload)));
    open.use(bus.subscribe(ledger, ({ payload }) => this.#onLedger(payload)));
    open.use(bus.onStatus((status) => {
      if (status === "connected") this.#state.liveness.forgive(reconnectGraceMs);
    }));
    open.use(clock.every(streamTickMs, () => this.#tick()));
    open.use(clock.every(limits.loadEveryMs, () => this.#sweep()));
    metrics.onCollect(() => this.#measure());
    const watch = await watchRegistry({
      ...{ registry, namespace, clock, log, state: this.#state },
      onModels: () => this.#followModels(),
    });
    if (!watch.ok) throw new StartError(watch.error.message);
    open.use(watch.value);
    await bus.flush();
  }

  health(): Health {
    const nowMs = this.#context.clock.nowMs();
    const { fleet, streams, ledger } = this.#state;
    const models = Array.from(fleet.models.values(), ({ name, ranks }) => {
      const live = ranks.filter((rank) => rankState(this.#state, rank, nowMs) === "live");
      return [name, { workers: ranks.length, live: live.length }] as const;
    });
    const { usedBlocks: blocks, capacityBlocks } = streams.budget;
    return {
      status: this.#isDraining ? "draining" : "ready",
      details: {
        models: Object.fromEntries(models),
        index: { blocks, capacityBlocks, ...this.#sourceCounts() },
        bookings: ledger.size,
        policy: this.#state.policy,
        bus: this.#context.bus.status,
        missing: "no policy ttft, no queue, no truth audit, no approximate mode yet",
      },
    };
  }

  /** Decisions take no time: nothing runs once no more requests come. */
  async drain(_signal: AbortSignal): Promise<void> {
    this.#isDraining = true;
    this.#closeRoutes();
    await this.#context.bus.flush();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isDraining = true;
    this.#closeRoutes();
    this.#open[Symbol.dispose]();
    return Promise.resolve();
  }

  /** Serves `route.<model>` for exactly the models that have workers. */
  #followModels(): void {
    const { models } = this.#state.fleet;
    const { bus, log } = this.#context;
    for (const [hash, subscription] of this.#routes) {
      if (models.has(hash)) continue;
      subscription[Symbol.dispose]();
      this.#routes.delete(hash);
      log.info("a model has no workers any more", { hash });
    }
    if (this.#isDraining) return;
    for (const { hash, name } of models.values()) {
      if (this.#routes.has(hash)) continue;
      const handler = (payload: Uint8Array) => this.#route(hash, payload);
      const subject = this.#subjects.route(hash);
      this.#routes.set(hash, bus.serve(subject, handler, { queue: routerQueue }));
      log.info("a model is routed", { model: name });
    }
  }

  #closeRoutes(): void {
    for (const subscription of this.#routes.values()) subscription[Symbol.dispose]();
    this.#routes.clear();
  }

  /** Decode, decide and book, encode: nothing waits in between, so each decision sees the one before. */
  #route(model: ModelHash, payload: Uint8Array): Uint8Array {
    const { clock } = this.#context;
    const nowMs = clock.nowMs();
    const request = decodeRouteRequest(payload);
    if (!request.ok) return this.#refuse(request.error);
    if (request.value.remainingMs === 0) {
      return this.#refuse(fail("timeout", "Cannot place the request: its time is over").error);
    }
    const moment = { nowMs, draw: this.#draw };
    const decision = this.#state.route(model, request.value, moment);
    if (!decision.ok) return this.#refuse(decision.error);
    const { rank, overlap, record } = decision.value;
    const { blockSize } = rank.card;
    const reply = encode("routeReply", {
      ...{ kind: "decision", worker: rank.worker, overlap, blockSize },
      record: encode("decisionRecord", record),
    });
    this.#count(request.value, decision.value);
    this.#metrics.decisionSeconds.observe((clock.nowMs() - nowMs) / 1000);
    return reply;
  }

  #refuse(error: Failure): Uint8Array {
    this.#metrics.refusals.add(1, { code: error.code });
    return encode("routeReply", { kind: "refused", error });
  }

  #count(request: RouteRequest, { overlap, record }: Decision): void {
    const { decisions, overlapBlocks, promptBlocks, hitRate } = this.#metrics;
    decisions.add(1, { policy: record.policy, model: record.model });
    const blocks = Math.floor(request.isl / record.blockSize);
    promptBlocks.add(blocks);
    const { device, host, disk } = overlap;
    if (device > 0) overlapBlocks.add(device, { tier: "device" });
    if (host > 0) overlapBlocks.add(host, { tier: "host" });
    if (disk > 0) overlapBlocks.add(disk, { tier: "disk" });
    if (blocks > 0) hitRate.observe(Math.min(1, (device + host + disk) / blocks));
  }

  #onEvents(payload: Uint8Array): void {
    const batch = decodeKvEvents(payload);
    if (!batch.ok) return this.#bad("kv", batch.error);
    const change = this.#state.events(batch.value, this.#context.clock.nowMs());
    this.#metrics.eventBatches.add(1, { result: change?.result ?? "unknown-owner" });
    if (change?.isFull) {
      this.#metrics.indexFull.add();
      const { owner } = batch.value;
      this.#context.log.warn("the index is full: a worker's blocks do not count", { owner });
    }
    if (change?.fell === undefined) return;
    this.#metrics.gaps.add(1, { cause: change.fell });
    this.#snapshots.look();
  }

  #onLoad(payload: Uint8Array): void {
    const report = decode("loadReport", payload);
    if (!report.ok) return this.#bad("load", report.error);
    const change = this.#state.report(report.value, this.#context.clock.nowMs());
    this.#metrics.reports.add(1, { result: change.isKnown ? "applied" : "unknown-worker" });
    if (change.lost > 0) this.#metrics.ledgerDropped.add(change.lost, { cause: "drift" });
    if (change.fell === undefined) return;
    this.#metrics.gaps.add(1, { cause: change.fell });
    this.#snapshots.look();
  }

  #onLedger(payload: Uint8Array): void {
    const batch = decode("ledgerBatch", payload);
    if (!batch.ok) return this.#bad("ledger", batch.error);
    const nowMs = this.#context.clock.nowMs();
    for (const entry of batch.value.entries) {
      const result = this.#state.entry(entry, nowMs);
      this.#metrics.ledgerEntries.add(1, { op: entry.op, result });
    }
  }

  #bad(kind: string, { message: reason }: Failure): void {
    this.#metrics.badMessages.add(1, { kind });
    this.#context.log.debug("a message is not understood", { kind, reason });
  }

  #tick(): void {
    for (const { source, cause } of this.#state.streams.tick(this.#context.clock.nowMs())) {
      this.#metrics.gaps.add(1, { cause });
      this.#context.log.debug("a batch was lost", { owner: source.owner });
    }
    this.#snapshots.look();
  }

  #sweep(): void {
    const { bus, clock } = this.#context;
    const { liveness } = this.#state;
    const nowMs = clock.nowMs();
    const elapsedMs = nowMs - this.#sweptMs;
    this.#sweptMs = nowMs;
    const lateMs = elapsedMs - limits.loadEveryMs;
    if (bus.status === "disconnected") liveness.forgive(elapsedMs);
    else if (lateMs > stallMs) liveness.forgive(lateMs);
    const { unconfirmed, orphaned, cards } = this.#state.sweep(nowMs);
    if (unconfirmed > 0) this.#metrics.ledgerDropped.add(unconfirmed, { cause: "unconfirmed" });
    if (orphaned > 0) this.#metrics.ledgerDropped.add(orphaned, { cause: "frontend-gone" });
    if (cards > 0) this.#followModels();
  }

  #sourceCounts(): Record<typeof sourceStates[number], number> {
    const counts = { new: 0, exact: 0, behind: 0, degraded: 0 };
    for (const { stream } of this.#state.streams.all()) counts[stream.state] += 1;
    return counts;
  }

  #measure(): void {
    const { streams, ledger, fleet, sessions } = this.#state;
    const metrics = this.#metrics;
    metrics.indexBlocks.set(streams.budget.usedBlocks);
    metrics.indexCapacity.set(streams.budget.capacityBlocks);
    const counts = this.#sourceCounts();
    for (const state of sourceStates) metrics.indexSources.set(counts[state], { state });
    metrics.ledgerBookings.set(ledger.size - ledger.unconfirmed, { state: "confirmed" });
    metrics.ledgerBookings.set(ledger.unconfirmed, { state: "unconfirmed" });
    metrics.sessions.set(sessions.size);
    const nowMs = this.#context.clock.nowMs();
    const ranks = [...fleet.models.values()].flatMap((model) => model.ranks);
    const states = ranks.map((rank) => rankState(this.#state, rank, nowMs));
    for (const state of rankStates) {
      metrics.workers.set(states.filter((one) => one === state).length, { state });
    }
  }
}

/** The router program. */
export const routerSpec: ServiceSpec<typeof routerSchema> = {
  name: "router",
  summary: "Chooses the worker of every request: longest cached prefix, least load",
  schema: routerSchema,
  async start(config, context): Promise<Service> {
    const router = new Router(config, context);
    try {
      await router.open();
      return router;
    } catch (error) {
      await router[Symbol.asyncDispose]();
      throw error;
    }
  },
};
