import { decode, decodeLedgerBatch, limits, subjects as subjectsOf } from "@pixii/wire";
import type { Failure, LedgerEntry } from "@pixii/wire";
import type { ServiceContext } from "@pixii/runtime";
import type { RouterState } from "./core/router_state.ts";
import type { RouterMetrics } from "./metrics.ts";
import type { SnapshotKeeper } from "./snapshot_keeper.ts";

/** How often lost batches are looked for and due snapshots begun. */
const streamTickMs = 50;
/** A timer this late means that our own event loop stood still: others' silence in that time was ours. */
const stallMs = 100;
/** After a reconnect workers get this long to be heard again. */
const reconnectGraceMs = 1_000;

/** What the feed works with. */
export interface StateFeedParts {
  readonly context: ServiceContext;
  readonly state: RouterState;
  readonly metrics: RouterMetrics;
  readonly snapshots: SnapshotKeeper;
  /** Cards left by themselves. */
  readonly onModels: () => void;
  /** A ledger entry came. */
  readonly onEntry: (entry: LedgerEntry) => void;
  /** A report or a ledger entry was applied: there may be room again. */
  readonly onLoad: () => void;
}

/** What the bus and the clock tell the state: events, reports, ledger, silence. */
export class StateFeed implements Disposable {
  readonly #parts: StateFeedParts;
  readonly #open = new DisposableStack();
  /** Batches by result since they were last counted: a counter with labels costs more than applying a small batch. */
  readonly #batches = new Map<string, number>();
  #sweptMs: number;

  /** Listens from now on. */
  constructor(parts: StateFeedParts) {
    this.#parts = parts;
    const { bus, clock, namespace } = parts.context;
    const { allKvEvents, allKvBeats, allLoad, ledger } = subjectsOf(namespace);
    this.#sweptMs = clock.nowMs();
    const open = this.#open;
    open.use(bus.subscribe(allKvEvents, ({ payload }) => this.#onEvents(payload)));
    open.use(bus.subscribe(allKvBeats, ({ payload }) => this.#onHeartbeat(payload)));
    open.use(bus.subscribe(allLoad, ({ payload }) => this.#onLoad(payload)));
    open.use(bus.subscribe(ledger, ({ payload }) => this.#onLedger(payload)));
    open.use(bus.onStatus((status) => {
      if (status === "connected") parts.state.liveness.forgive(reconnectGraceMs);
    }));
    open.use(clock.every(streamTickMs, () => this.#tick()));
    parts.context.metrics.onCollect(() => this.#countBatches());
    open.use(clock.every(limits.loadEveryMs, () => this.#sweep()));
  }

  [Symbol.dispose](): void {
    this.#open[Symbol.dispose]();
  }

  #onEvents(payload: Uint8Array): void {
    const { state, metrics, context, snapshots } = this.#parts;
    const taken = state.eventBytes(payload, context.clock.nowMs());
    if (!taken.ok) return this.#bad("kv", taken.error);
    const change = taken.value;
    const result = change?.result ?? "unknown-owner";
    this.#batches.set(result, (this.#batches.get(result) ?? 0) + 1);
    if (change?.isFull) {
      metrics.indexFull.add();
      context.log.warn("the index has no room: a worker's blocks do not count", {
        capacityBytes: state.streams.budget.capacityBytes,
      });
    }
    if (change?.fell === undefined) return;
    metrics.gaps.add(1, { cause: change.fell });
    snapshots.look();
  }

  #onHeartbeat(payload: Uint8Array): void {
    const { state, metrics, context, snapshots } = this.#parts;
    const beat = decode("kvHeartbeat", payload);
    if (!beat.ok) return this.#bad("beat", beat.error);
    const causes = state.heartbeat(beat.value, context.clock.nowMs());
    for (const cause of causes) metrics.gaps.add(1, { cause });
    if (causes.length > 0) snapshots.look();
  }

  #countBatches(): void {
    for (const [result, count] of this.#batches) {
      this.#parts.metrics.eventBatches.add(count, { result });
    }
    this.#batches.clear();
  }

  #onLoad(payload: Uint8Array): void {
    const { state, metrics, context, snapshots } = this.#parts;
    const report = decode("loadReport", payload);
    if (!report.ok) return this.#bad("load", report.error);
    const change = state.report(report.value, context.clock.nowMs());
    metrics.reports.add(1, { result: change.isKnown ? "applied" : "unknown-worker" });
    if (change.lost > 0) metrics.ledgerDropped.add(change.lost, { cause: "drift" });
    this.#parts.onLoad();
    if (change.fell === undefined) return;
    metrics.gaps.add(1, { cause: change.fell });
    snapshots.look();
  }

  #onLedger(payload: Uint8Array): void {
    const { state, metrics, context } = this.#parts;
    const batch = decodeLedgerBatch(payload);
    if (!batch.ok) return this.#bad("ledger", batch.error);
    const nowMs = context.clock.nowMs();
    for (const entry of batch.value.entries) {
      const result = state.entry(entry, nowMs);
      metrics.ledgerEntries.add(1, { op: entry.op, result });
      this.#parts.onEntry(entry);
    }
    this.#parts.onLoad();
  }

  #bad(kind: string, { message: reason }: Failure): void {
    this.#parts.metrics.badMessages.add(1, { kind });
    this.#parts.context.log.debug("a message is not understood", { kind, reason });
  }

  #tick(): void {
    const { state, metrics, context, snapshots } = this.#parts;
    for (const { source, cause } of state.streams.tick(context.clock.nowMs())) {
      metrics.gaps.add(1, { cause });
      context.log.debug("a batch was lost", { owner: source.owner });
    }
    snapshots.look();
  }

  #sweep(): void {
    const { state, metrics, context } = this.#parts;
    const { bus, clock } = context;
    const nowMs = clock.nowMs();
    const elapsedMs = nowMs - this.#sweptMs;
    this.#sweptMs = nowMs;
    const lateMs = elapsedMs - limits.loadEveryMs;
    if (bus.status === "disconnected") state.liveness.forgive(elapsedMs);
    else if (lateMs > stallMs) state.liveness.forgive(lateMs);
    const { unconfirmed, orphaned, cards } = state.sweep(nowMs);
    if (unconfirmed > 0) metrics.ledgerDropped.add(unconfirmed, { cause: "unconfirmed" });
    if (orphaned > 0) metrics.ledgerDropped.add(orphaned, { cause: "frontend-gone" });
    if (cards > 0) this.#parts.onModels();
    this.#parts.onLoad();
  }
}
