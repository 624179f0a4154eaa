import type { WorkerTimes } from "@pixii/wire";
import type { LoadRequest } from "./request_line.ts";

/** What a worker of the fleet does. */
export type Job = "prefill" | "decode";

/** Decode is computed in slices of this many ms. */
export const sliceMs = 100;

/** What the fleet is made of, and what is promised. */
export interface FleetOptions {
  readonly times: WorkerTimes;
  readonly maxSeqs: number;
  readonly ttftMs: number;
  readonly itlMs: number;
  /** From asking for a worker until it takes work; from asking for another job until it has it. */
  readonly startMs: number;
  readonly flipMs: number;
}

/** One sequence in a decode batch: it ends when its worker's progress reaches `ends`. */
interface Sequence {
  readonly request: LoadRequest;
  readonly firstMs: number;
  readonly late: boolean;
  ends: number;
  began: number;
}

/** One GPU. */
export class FleetWorker {
  readonly id: number;
  job: Job;
  /** When it takes work: later than now while it starts or changes its job. */
  readyMs: number;
  isFlipping = false;
  isStopping = false;
  /** A prefill worker computes until then. */
  busyUntilMs = 0;
  /** Steps of a decode worker since it began, and its batch. */
  progress = 0;
  readonly batch: Sequence[] = [];
  promptSum = 0;

  constructor(id: number, job: Job, readyMs: number) {
    this.id = id;
    this.job = job;
    this.readyMs = readyMs;
  }

  isOpen(nowMs: number): boolean {
    return nowMs >= this.readyMs && !this.isStopping;
  }
}

/** What came of the requests so far. */
export interface FleetCounts {
  served: number;
  /** Served, but not within the promise. */
  breaches: number;
  gpuMs: number;
  moves: number;
}

/** A request's times, as whoever watches is told. */
export interface Watcher {
  arrived(request: LoadRequest): void;
  first(ttftMs: number): void;
  ended(request: LoadRequest, itlMs: number): void;
}

/**
 * A fleet of prefill and decode workers in virtual time: prompts in one line for all prefill workers, first come, first
 * served; answers in batches, each joined where it is smallest, whose steps take what the profile says. A decode worker
 * that leaves hands its sequences to the others, which compute their context again.
 */
export class PlannedFleet {
  readonly workers: FleetWorker[] = [];
  readonly counts: FleetCounts = { served: 0, breaches: 0, gpuMs: 0, moves: 0 };
  readonly #options: FleetOptions;
  readonly #watcher: Watcher;
  readonly #line: LoadRequest[] = [];
  #lineHead = 0;
  readonly #toDecode: { readonly sequence: Sequence; readonly atMs: number }[] = [];
  #nextId = 1;
  nowMs = 0;

  constructor(options: FleetOptions, watcher: Watcher) {
    this.#options = options;
    this.#watcher = watcher;
  }

  /** Prompts that wait. */
  get waiting(): number {
    return this.#line.length - this.#lineHead;
  }

  /** Live workers of a job, ready or on their way. */
  of(job: Job): readonly FleetWorker[] {
    return this.workers.filter((one) => one.job === job && !one.isStopping);
  }

  /** Adds a worker that takes work after `afterMs`. */
  start(job: Job, afterMs = this.#options.startMs): void {
    this.workers.push(new FleetWorker(this.#nextId++, job, this.nowMs + afterMs));
    if (afterMs > 0) this.counts.moves += 1;
  }

  /** Gives a worker another job: it takes nothing new, and has the job after the flip time. */
  flip(worker: FleetWorker, job: Job): void {
    this.#handOver(worker);
    worker.job = job;
    worker.isFlipping = true;
    worker.readyMs = Math.max(this.nowMs, worker.busyUntilMs) + this.#options.flipMs;
    this.counts.moves += 1;
  }

  /** Lets a worker go once it is done. */
  stop(worker: FleetWorker): void {
    worker.isStopping = true;
    this.counts.moves += 1;
  }

  /** A request comes; time goes on with `advance`. */
  arrive(request: LoadRequest): void {
    this.#line.push(request);
    this.#watcher.arrived(request);
  }

  /** One slice. */
  advance(): void {
    this.nowMs += sliceMs;
    const { nowMs, counts } = this;
    for (const worker of this.workers) {
      if (worker.isFlipping && nowMs >= worker.readyMs) worker.isFlipping = false;
    }
    this.#prefill();
    this.#join();
    for (const worker of this.workers) if (worker.batch.length > 0) this.#decode(worker);
    counts.gpuMs += sliceMs * this.workers.length;
    for (let i = this.workers.length - 1; i >= 0; i--) {
      const { isStopping, batch, busyUntilMs } = this.workers[i];
      if (isStopping && batch.length === 0 && busyUntilMs <= nowMs) this.workers.splice(i, 1);
    }
  }

  #prefill(): void {
    const open = this.workers.filter((one) => one.job === "prefill" && one.isOpen(this.nowMs));
    while (this.#lineHead < this.#line.length) {
      let worker: FleetWorker | undefined;
      for (const one of open) {
        if (worker === undefined || one.busyUntilMs < worker.busyUntilMs) worker = one;
      }
      if (worker === undefined || worker.busyUntilMs >= this.nowMs) break;
      const request = this.#line[this.#lineHead++];
      // Within the slice it began when the worker was free and the request was there.
      const beginMs = Math.max(
        request.atMs,
        worker.busyUntilMs,
        worker.readyMs,
        this.nowMs - sliceMs,
      );
      worker.busyUntilMs = beginMs + this.#options.times.prefillMs(request.isl, 0);
      const ttftMs = worker.busyUntilMs - request.atMs;
      this.#watcher.first(ttftMs);
      const late = ttftMs > this.#options.ttftMs;
      const sequence = { request, firstMs: worker.busyUntilMs, late, ends: 0, began: 0 };
      this.#toDecode.push({ sequence, atMs: worker.busyUntilMs });
    }
    if (this.#lineHead > 4_096 && 2 * this.#lineHead > this.#line.length) {
      this.#line.splice(0, this.#lineHead);
      this.#lineHead = 0;
    }
  }

  #join(): void {
    const open = this.workers.filter((one) => one.job === "decode" && one.isOpen(this.nowMs));
    for (let i = 0; i < this.#toDecode.length;) {
      const { sequence, atMs } = this.#toDecode[i];
      if (atMs > this.nowMs) {
        i += 1;
        continue;
      }
      let worker: FleetWorker | undefined;
      for (const one of open) {
        if (worker === undefined || one.batch.length < worker.batch.length) worker = one;
      }
      if (worker === undefined || worker.batch.length >= this.#options.maxSeqs) return;
      this.#toDecode.splice(i, 1);
      sequence.began = worker.progress;
      sequence.ends = worker.progress + Math.max(1, sequence.request.osl - 1);
      worker.batch.push(sequence);
      worker.promptSum += sequence.request.isl;
    }
  }

  #decode(worker: FleetWorker): void {
    const { batch } = worker;
    let context = worker.promptSum;
    for (const { began } of batch) context += worker.progress - began;
    const stepMs = this.#options.times.decodeStepMs(batch.length, context);
    worker.progress += sliceMs / stepMs;
    for (let i = batch.length - 1; i >= 0; i--) {
      const sequence = batch[i];
      if (sequence.ends > worker.progress) continue;
      batch[i] = batch[batch.length - 1];
      batch.pop();
      const { request, firstMs, late } = sequence;
      worker.promptSum -= request.isl;
      const endMs = this.nowMs - (worker.progress - sequence.ends) * stepMs;
      const itlMs = (endMs - firstMs) / Math.max(1, request.osl - 1);
      this.#watcher.ended(request, itlMs);
      this.counts.served += 1;
      if (late || itlMs > this.#options.itlMs) this.counts.breaches += 1;
    }
  }

  /** Sequences of a worker that leaves its job go on elsewhere once their context was computed again. */
  #handOver(worker: FleetWorker): void {
    for (const sequence of worker.batch.splice(0)) {
      const { request, began } = sequence;
      const done = worker.progress - began;
      const again = this.#options.times.prefillMs(request.isl + done, 0);
      const rest = { ...request, osl: Math.max(2, Math.round(request.osl - done)) };
      // The pause counts against what is left of the answer: harsher than a client would see it.
      this.#toDecode.push({
        sequence: { ...sequence, request: rest, firstMs: this.nowMs },
        atMs: this.nowMs + again,
      });
    }
    worker.promptSum = 0;
  }
}
