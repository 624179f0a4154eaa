import { ChurnMap, fail, ok } from "@pixii/wire";
import type { Failure, KvEvent, Result } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import type {
  Engine,
  EngineCard,
  EngineLoad,
  EngineRequest,
  EngineSnapshot,
  StepBatch,
} from "../engine.ts";
import { SimScheduler } from "./core/sim_scheduler.ts";
import type { SchedulerOptions } from "./core/sim_scheduler.ts";
import type { StepShape, StepTime } from "./core/step_time.ts";
import type { Driver, Stepper } from "./driver.ts";

/** A rank this far behind its own time was stopped or is too fast for the machine: it goes on from now. */
const mostLagMs = 250;
/** A stream whose prompt another worker computes waits for its word no longer than this. */
const holdMs = 10_000;
/** Weight of the newest measurement in the rates. */
const rateWeight = 0.2;

/** What the streams of a rank that is put away end with. */
const closedFailure =
  fail("draining", "Cannot finish the stream: its engine was shut down; try another worker").error;
/** What who waits for a snapshot is told then, and what where the rank has failed. */
const snapshotClosed =
  fail("draining", "Cannot freeze the blocks: the engine was shut down; ask another worker").error;
const snapshotFailed =
  fail("engine_failed", "Cannot freeze the blocks: the engine has failed; ask another worker")
    .error;

/** What one rank is made of. */
export interface SimParts {
  readonly card: EngineCard;
  readonly artifact: Uint8Array;
  readonly scheduler: SchedulerOptions;
  readonly time: (shape: StepShape) => StepTime;
  /** How much faster than the model: > 0; Infinity = no waiting at all. */
  readonly speed: number;
  readonly clock: Clock;
  /** Shared by the ranks of a process. */
  readonly driver: Driver;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One rank of the simulated engine: the scheduler, its time, and the steps handed to the one consumer. */
export class SimEngine implements Engine, Stepper {
  readonly #parts: SimParts;
  readonly #scheduler: SimScheduler;
  readonly #batch: Mutable<StepBatch> = { step: 0, outputs: [], kvEvents: [] };
  readonly #given: IteratorResult<StepBatch> = { done: false, value: this.#batch };
  /** Takes the next step; there is one while the consumer waits. */
  #taker: PromiseWithResolvers<IteratorResult<StepBatch>> | undefined;
  /** The planned step: when it began and ends. */
  #startMs = 0;
  #endMs: number | undefined;
  #shape: StepShape | undefined;
  #time: StepTime = { prefillMs: 0, decodeMs: 0 };
  #snapshots: ((snapshot: Result<EngineSnapshot>) => void)[] = [];
  readonly #holds = new ChurnMap<number, Disposable>();
  #idle: (() => void)[] = [];
  #state: "open" | "draining" | "closed" | "ended" = "open";
  #error: Error | undefined;
  #prefillRate = 0;
  #decodeRate = 0;

  constructor(parts: SimParts) {
    this.#parts = parts;
    this.#scheduler = new SimScheduler(parts.scheduler);
  }

  get dueMs(): number | undefined {
    if (this.#taker === undefined) return undefined;
    if (this.#endMs !== undefined) return this.#endMs;
    return this.#scheduler.isBusy ? -Infinity : undefined;
  }

  card(): EngineCard {
    return this.#parts.card;
  }

  artifact(): Uint8Array {
    return this.#parts.artifact;
  }

  submit(request: EngineRequest): Result<void> {
    if (this.#error !== undefined) {
      return fail("engine_failed", "Cannot take the stream: the engine has failed; use another");
    }
    if (this.#state !== "open") {
      return fail(
        "draining",
        "Cannot take the stream: the engine is shutting down; try another worker",
      );
    }
    if (request.adapter !== "") {
      return fail("unsupported_parameter", "Cannot run the stream: adapters are not built yet");
    }
    const refused = this.#scheduler.submit(request);
    if (refused !== undefined) return { ok: false, error: refused };
    if (request.handover?.part === "take") this.#hold(request.stream);
    this.#parts.driver.wake(this);
    return ok(undefined);
  }

  cancel(stream: number): void {
    this.#scheduler.cancel(stream);
    this.#parts.driver.wake(this);
  }

  handover(stream: number, word: "given" | "lost"): void {
    this.#holds.get(stream)?.[Symbol.dispose]();
    this.#holds.delete(stream);
    this.#scheduler.handover(stream, word === "given");
    this.#parts.driver.wake(this);
  }

  steps(): AsyncIterable<StepBatch> {
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => this.#next(),
        return: () => Promise.resolve({ done: true, value: undefined }),
      }),
    };
  }

  load(): EngineLoad {
    return {
      ...this.#scheduler.load(),
      totalBlocks: this.#parts.scheduler.blocks,
      stepCount: this.#batch.step,
      stepAgeMs: this.#endMs === undefined
        ? 0
        : Math.max(0, this.#parts.clock.nowMs() - this.#startMs),
      prefillRate: this.#prefillRate,
      decodeRate: this.#decodeRate,
    };
  }

  snapshot(): Promise<Result<EngineSnapshot>> {
    const refused = this.#error !== undefined
      ? snapshotFailed
      : this.#state === "closed" || this.#state === "ended"
      ? snapshotClosed
      : undefined;
    if (refused !== undefined) return Promise.resolve({ ok: false, error: refused });
    // A planned step has taken blocks already: what is true is known when it ends.
    if (this.#endMs === undefined) return Promise.resolve(ok(this.#freeze()));
    return new Promise((resolve) => this.#snapshots.push(resolve));
  }

  async drain(signal: AbortSignal): Promise<void> {
    if (this.#state === "open") this.#state = "draining";
    if (this.#scheduler.live === 0) return;
    const cancelAll = () => {
      this.#scheduler.cancelAll();
      this.#parts.driver.wake(this);
    };
    signal.addEventListener("abort", cancelAll, { once: true });
    if (signal.aborted) cancelAll();
    await new Promise<void>((resolve) => this.#idle.push(resolve));
    signal.removeEventListener("abort", cancelAll);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "closed" || this.#state === "ended") return;
    this.#state = "closed";
    this.#endMs = undefined;
    this.#refuseSnapshots(snapshotClosed);
    for (const hold of this.#holds.values()) hold[Symbol.dispose]();
    if (this.#taker !== undefined) this.#close();
    this.#parts.driver.leave(this);
    this.#settle();
    await Promise.resolve();
  }

  advance(nowMs: number): void {
    if (this.#taker === undefined) return;
    try {
      if (this.#endMs === undefined) {
        if (!this.#scheduler.isBusy) return;
        this.#plan(nowMs);
      }
      if (this.#endMs! > nowMs) return;
      const endMs = this.#endMs!;
      this.#commit();
      // With nothing to wait for, a step is decided when it is taken: the newest streams are in it.
      if (this.#parts.speed === Infinity || !this.#scheduler.isBusy) return;
      this.#plan(Math.max(endMs, nowMs - mostLagMs));
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** The key of a stream that is here twice, where one is; for the simulator. O(streams). */
  twice(): string | undefined {
    return this.#scheduler.twice();
  }

  /** Throws where the books do not add up; for tests. */
  checkIntegrity(): void {
    this.#scheduler.checkIntegrity();
  }

  #next(): Promise<IteratorResult<StepBatch>> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#state === "ended") return Promise.resolve({ done: true, value: undefined });
    const { promise } = this.#taker = Promise.withResolvers<IteratorResult<StepBatch>>();
    if (this.#state === "closed") this.#close();
    else this.#parts.driver.wake(this);
    return promise;
  }

  /** Without a word from the other worker a prompt is computed here after a while. */
  #hold(stream: number): void {
    const { clock } = this.#parts;
    this.#holds.set(stream, clock.timer(holdMs, () => this.handover(stream, "lost")));
  }

  #plan(startMs: number): void {
    const shape = this.#scheduler.plan();
    this.#shape = shape;
    this.#startMs = startMs;
    const { speed } = this.#parts;
    this.#time = speed === Infinity ? { prefillMs: 0, decodeMs: 0 } : this.#parts.time(shape);
    this.#endMs = startMs + (this.#time.prefillMs + this.#time.decodeMs) / speed;
  }

  #commit(): void {
    const outputs = this.#scheduler.commit();
    this.#endMs = undefined;
    this.#measure();
    this.#give(outputs, this.#scheduler.takeEvents());
    if (this.#snapshots.length > 0) {
      const snapshot = ok(this.#freeze());
      for (const resolve of this.#snapshots.splice(0)) resolve(snapshot);
    }
    if (this.#scheduler.live === 0) this.#settle();
  }

  /** Hands a step to the consumer. */
  #give(outputs: StepBatch["outputs"], kvEvents: readonly KvEvent[]): void {
    this.#batch.step += 1;
    this.#batch.outputs = outputs;
    this.#batch.kvEvents = kvEvents;
    const taker = this.#taker!;
    this.#taker = undefined;
    taker.resolve(this.#given);
  }

  /** The last step tells every stream; then the steps end. */
  #close(): void {
    this.#state = "ended";
    if (this.#scheduler.live > 0) {
      this.#give(this.#scheduler.failAll(closedFailure), this.#scheduler.takeEvents());
    } else {
      this.#taker!.resolve({ done: true, value: undefined });
      this.#taker = undefined;
    }
    this.#settle();
  }

  #fail(error: Error): void {
    this.#error = error;
    this.#endMs = undefined;
    this.#refuseSnapshots(snapshotFailed);
    this.#taker?.reject(error);
    this.#taker = undefined;
    this.#settle();
  }

  #refuseSnapshots(error: Failure): void {
    for (const resolve of this.#snapshots.splice(0)) resolve({ ok: false, error });
  }

  #settle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #freeze(): EngineSnapshot {
    return { step: this.#batch.step, kvEvents: this.#scheduler.snapshot() };
  }

  /** Rates as they are felt: of the modelled time at this speed, of the machine's own where nothing is waited for. */
  #measure(): void {
    const { prefillTokens, decodeSequences } = this.#shape!;
    const { speed, clock } = this.#parts;
    if (speed === Infinity) {
      const tookMs = clock.nowMs() - this.#startMs;
      this.#prefillRate = blend(this.#prefillRate, prefillTokens, tookMs);
      this.#decodeRate = blend(this.#decodeRate, decodeSequences, tookMs);
      return;
    }
    this.#prefillRate = blend(this.#prefillRate, prefillTokens, this.#time.prefillMs / speed);
    this.#decodeRate = blend(this.#decodeRate, decodeSequences, this.#time.decodeMs / speed);
  }
}

/** The rate with one more measurement, tokens per second; steps without such tokens say nothing about it. */
function blend(rate: number, tokens: number, ms: number): number {
  if (tokens === 0) return rate;
  const fresh = tokens / Math.max(0.001, ms) * 1000;
  return rate === 0 ? fresh : rate + rateWeight * (fresh - rate);
}
