import { fail } from "@pixii/wire";
import type { EntryExtra, ModelCard, RoleState, Subjects } from "@pixii/wire";
import type { ServiceContext } from "@pixii/runtime";
import type { StreamBook, StreamRecord } from "./core/stream_book.ts";
import type { Engine, EngineLoad, StepBatch } from "./engine.ts";
import { FrameSender } from "./frame_sender.ts";
import type { WorkerMetrics } from "./metrics.ts";
import { WorkerRank } from "./worker_rank.ts";

/** Least time between two load reports that a change asked for. */
const loadChangeMs = 20;

/** What an outlet works with. */
export interface OutletParts {
  readonly context: ServiceContext;
  readonly card: ModelCard;
  readonly subjects: Subjects;
  readonly metrics: WorkerMetrics;
  readonly book: StreamBook;
}

/** Everything that leaves a worker by itself: step frames, KV events and load reports of all its ranks. */
export class StepOutlet implements Disposable {
  readonly ranks: readonly WorkerRank[];
  readonly #parts: OutletParts;
  readonly #frames: FrameSender;
  /** Ranks whose load changed since their last report. */
  readonly #changed = new Set<WorkerRank>();
  #changeTimer: Disposable | undefined;
  #isFlushing = false;
  #outputTokens = 0;
  #quiet: (() => void)[] = [];
  isDraining = false;
  /** What reports say of the worker's role. */
  roleState: RoleState;

  constructor(engines: readonly Engine[], parts: OutletParts) {
    this.#parts = parts;
    this.roleState = { role: parts.card.role };
    const { card, subjects, metrics, context: { bus, clock } } = parts;
    const shared = { bus, subjects, metrics };
    this.#frames = new FrameSender({ ...shared, worker: card.instance });
    this.ranks = engines.map((engine, dpRank) =>
      new WorkerRank(engine, dpRank, { ...shared, clock, card })
    );
  }

  /** Passes a rank's steps on until they end. Rejects when its engine failed, after its streams were told. */
  async run(rank: WorkerRank): Promise<void> {
    try {
      for await (const batch of rank.engine.steps()) this.#step(rank, batch);
    } catch (error) {
      const reason = (error as Error).message;
      this.#endAll(rank, reason);
      rank.kv.end(fail("engine_failed", `Cannot freeze the blocks: ${reason}`).error);
      throw error;
    }
    this.#endAll(rank, "it was shut down");
    rank.kv.end(fail("draining", "Cannot freeze the blocks: the worker shuts down").error);
  }

  /** The reply to `generate`. */
  accepted(record: StreamRecord): Uint8Array {
    const entry = { firstIndex: record.firstIndex, tokens: [], extra: undefined };
    return this.#frames.single(record, entry, { accepted: true, step: this.#stepOf(record) });
  }

  /** A stream from an index on, as the reply to `resume`; undefined where those tokens are gone. */
  from(record: StreamRecord, index: number): Uint8Array | undefined {
    const missing = this.#parts.book.resume(record, index);
    if (missing === undefined) return undefined;
    this.#parts.metrics.resumes.add(1, { cause: "asked" });
    return this.#frames.single(record, missing, { accepted: false, step: this.#stepOf(record) });
  }

  /** Sends streams again whose frontend seems to have missed a frame. */
  resend(records: readonly StreamRecord[]): void {
    for (const record of records) {
      const missing = this.#parts.book.resume(record, record.firstIndex);
      if (missing === undefined) continue;
      this.#parts.metrics.resumes.add(1, { cause: "renew" });
      this.#frames.add(record, missing, this.#stepOf(record));
    }
    this.#frames.send();
  }

  /** Forgets frontends without a stream. */
  prune(): void {
    this.#frames.prune((frontend) => this.#parts.book.knows(frontend));
  }

  /** Publishes all load reports; answers the loads. */
  reportAll(): readonly EngineLoad[] {
    this.#changed.clear();
    return this.ranks.map((rank) => this.#report(rank));
  }

  /** Reports a rank's load soon. */
  loadChanged(rank: WorkerRank): void {
    this.#changed.add(rank);
    this.#changeTimer ??= this.#parts.context.clock.timer(loadChangeMs, () => {
      this.#changeTimer = undefined;
      for (const one of this.#changed) this.#report(one);
      this.#changed.clear();
    });
  }

  /** Resolves when no stream is live and all was sent. */
  async quiet(): Promise<void> {
    if (this.#parts.book.live > 0 || this.#isFlushing) {
      await new Promise<void>((resolve) => this.#quiet.push(resolve));
    }
  }

  /** Output tokens since the last call: counted here, since a metric costs more than a token. */
  takeOutputTokens(): number {
    const tokens = this.#outputTokens;
    this.#outputTokens = 0;
    return tokens;
  }

  [Symbol.dispose](): void {
    this.#changeTimer?.[Symbol.dispose]();
  }

  #step(rank: WorkerRank, batch: StepBatch): void {
    const { book, context } = this.#parts;
    const nowMs = context.clock.nowMs();
    const { step, outputs } = batch;
    rank.step = step;
    let ended = false;
    for (let i = 0; i < outputs.length; i++) {
      const output = outputs[i];
      const record = book.emit(output, nowMs);
      if (record === undefined) continue;
      this.#frames.add(record, output, step);
      this.#outputTokens += output.tokens.length;
      if (output.extra === undefined) continue;
      this.#count(output.extra);
      ended ||= output.extra.end !== undefined;
    }
    rank.kv.publish(step, batch.kvEvents);
    if (ended) this.loadChanged(rank);
    this.#flushSoon();
  }

  /** One rank's frame goes at once; those of many wait until all that stepped in this turn have said theirs. */
  #flushSoon(): void {
    if (this.ranks.length === 1) return this.#flush();
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    this.#frames.send();
    if (this.#parts.book.live > 0 || this.#quiet.length === 0) return;
    for (const resolve of this.#quiet.splice(0)) resolve();
  }

  /** No step comes any more: whoever still waits for one is told. */
  #endAll(rank: WorkerRank, reason: string): void {
    const { book, context } = this.#parts;
    const nowMs = context.clock.nowMs();
    const failure =
      fail("engine_failed", `Cannot finish the stream: its engine has failed (${reason})`)
        .error;
    for (const record of [...book.liveOf(rank.dpRank)]) {
      const outputTokens = record.firstIndex + record.tokens.length;
      const extra = { end: { reason: "error" as const, error: failure, outputTokens } };
      const output = { stream: record.stream, firstIndex: outputTokens, tokens: [], extra };
      book.emit(output, nowMs);
      this.#frames.add(record, output, rank.step);
      this.#count(extra);
    }
    this.#flush();
  }

  #report(rank: WorkerRank): EngineLoad {
    const { book } = this.#parts;
    return rank.report(book.active(rank.dpRank), { ...this.roleState, draining: this.isDraining });
  }

  #stepOf(record: StreamRecord): number {
    return this.ranks[record.rank].step;
  }

  #count(extra: EntryExtra): void {
    const { metrics, context } = this.#parts;
    if (extra.cached !== undefined) {
      const { device, host } = extra.cached;
      if (device > 0) metrics.cachedTokens.add(device, { tier: "device" });
      if (host > 0) metrics.cachedTokens.add(host, { tier: "host" });
    }
    if (extra.end === undefined) return;
    metrics.finished.add(1, { reason: extra.end.reason });
    const error = extra.end.error;
    if (error !== undefined) {
      context.log.warn("a stream failed", { code: error.code, message: error.message });
    }
  }
}
