import type { WorkerTimes } from "@pixii/wire";
import { FleetWorker } from "./fleet_worker.ts";
import type { Answer, Job } from "./fleet_worker.ts";
import { MinHeap } from "./min_heap.ts";
import type { LoadRequest } from "./request_line.ts";

/** Time goes on in slices of so many ms; prompts begin and answers end at their exact times within one. */
export const sliceMs = 100;

/** What the fleet is made of, and what is promised. */
export interface FleetOptions {
  readonly times: WorkerTimes;
  readonly maxSeqs: number;
  readonly kvTokens: number;
  readonly goal: { readonly ttftMs: number; readonly itlMs: number };
  /** From asking for a worker until it takes work; from asking for another job until it has it. */
  readonly startMs: number;
  readonly flipMs: number;
}

/** What came of the requests so far. */
export interface FleetCounts {
  arrived: number;
  served: number;
  /** Served, but not within the promise: first token late, or tokens too far apart. */
  breaches: number;
  lateFirst: number;
  gpuMs: number;
  /** Workers started, stopped and given another job; the last alone. */
  moves: number;
  flips: number;
}

/** A request's times, as whoever watches is told. */
export interface Watcher {
  arrived(request: LoadRequest): void;
  ended(request: LoadRequest, times: { readonly ttftMs: number; readonly itlMs: number }): void;
}

/**
 * A fleet of prefill and decode workers in virtual time: prompts in one line for all prefill workers, first come, first
 * served; answers in batches, each joined where it is smallest, whose steps take what the profile says. A worker that stops
 * finishes what it has. A decode worker that changes its job goes on with its answers during the move; what is left then goes
 * on elsewhere with its KV, after a pause as long as computing that would take, which counts.
 */
export class PlannedFleet {
  readonly workers: FleetWorker[] = [];
  readonly counts: FleetCounts = {
    ...{ arrived: 0, served: 0, breaches: 0, lateFirst: 0, gpuMs: 0, moves: 0, flips: 0 },
  };
  readonly #options: FleetOptions;
  readonly #watcher: Watcher;
  #line: LoadRequest[] = [];
  #lineHead = 0;
  readonly #toDecode = new MinHeap<{ readonly answer: Answer; readonly atMs: number }>();
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

  /** Requests that are anywhere between their coming and their end. */
  get inside(): number {
    const busy = this.workers.reduce((sum, one) => sum + one.answers, 0);
    return this.waiting + this.#toDecode.size + busy;
  }

  /** Workers of a job, ready or on their way, without those that stop. */
  of(job: Job): readonly FleetWorker[] {
    return this.workers.filter((one) => one.job === job && !one.isStopping);
  }

  /** Adds a worker that takes work after `afterMs`. */
  start(job: Job, afterMs = this.#options.startMs): void {
    this.workers.push(new FleetWorker(this.#nextId++, job, this.nowMs + afterMs));
    if (afterMs > 0) this.counts.moves += 1;
  }

  /** Gives a worker another job: it takes nothing new, and has the job after the flip time or its running prompt. */
  flip(worker: FleetWorker, job: Job): void {
    worker.job = job;
    worker.isFlipping = true;
    worker.readyMs = Math.max(worker.busyUntilMs, this.nowMs + this.#options.flipMs);
    this.counts.moves += 1;
    this.counts.flips += 1;
  }

  /** Lets a worker go once it is done. */
  stop(worker: FleetWorker): void {
    worker.isStopping = true;
    this.counts.moves += 1;
  }

  /** A request comes; time goes on with `advance`. */
  arrive(request: LoadRequest): void {
    this.#line.push(request);
    this.counts.arrived += 1;
    this.#watcher.arrived(request);
  }

  /** One slice. */
  advance(): void {
    this.nowMs += sliceMs;
    const { nowMs, counts } = this;
    counts.gpuMs += sliceMs * this.workers.length;
    for (const worker of this.workers) {
      if (worker.answers > 0) this.#decode(worker);
      if (worker.isFlipping && nowMs >= worker.readyMs) this.#flipped(worker);
    }
    this.#prefill();
    this.#join();
    for (let i = this.workers.length - 1; i >= 0; i--) {
      const { isStopping, answers, busyUntilMs } = this.workers[i];
      if (isStopping && answers === 0 && busyUntilMs <= nowMs) this.workers.splice(i, 1);
    }
  }

  #flipped(worker: FleetWorker): void {
    worker.isFlipping = false;
    for (const answer of worker.handOver()) {
      const { request, done } = answer;
      const atMs = this.nowMs + this.#options.times.prefillMs(request.isl + done, 0);
      this.#toDecode.push({ answer, atMs }, atMs);
    }
  }

  #prefill(): void {
    const { nowMs } = this;
    while (this.waiting > 0) {
      let worker: FleetWorker | undefined;
      for (const one of this.workers) {
        if (!one.takes("prefill", nowMs) || one.busyUntilMs >= nowMs) continue;
        if (worker === undefined || one.busyUntilMs < worker.busyUntilMs) worker = one;
      }
      if (worker === undefined) break;
      const request = this.#line[this.#lineHead++];
      // Within the slice it began when the worker was free and the request was there.
      const sliceBeganMs = nowMs - sliceMs;
      const beginMs = Math.max(request.atMs, worker.busyUntilMs, worker.readyMs, sliceBeganMs);
      worker.busyUntilMs = beginMs + this.#options.times.prefillMs(request.isl, 0);
      this.#prefilled(request, worker.busyUntilMs);
    }
    if (this.#lineHead > 4_096) {
      this.#line = this.#line.slice(this.#lineHead);
      this.#lineHead = 0;
    }
  }

  #prefilled(request: LoadRequest, atMs: number): void {
    const isLate = atMs - request.atMs > this.#options.goal.ttftMs;
    // The first token comes with the prompt; one that has no other waits for its time all the same.
    const left = Math.max(0, request.osl - 1);
    const made = { request, firstMs: atMs, isLate, left, done: 0, began: 0 };
    this.#toDecode.push({ answer: made, atMs }, atMs);
  }

  #join(): void {
    const { nowMs } = this;
    const { maxSeqs, kvTokens, times } = this.#options;
    while (this.#toDecode.least <= nowMs) {
      let worker: FleetWorker | undefined;
      for (const one of this.workers) {
        if (!one.takes("decode", nowMs) || one.answers >= maxSeqs || one.context > kvTokens) {
          continue;
        }
        if (worker === undefined || one.answers < worker.answers) worker = one;
      }
      if (worker === undefined) return;
      const { answer, atMs } = this.#toDecode.pop()!;
      if (answer.left === 0) {
        this.#ended(answer, atMs);
        continue;
      }
      const earlierMs = Math.max(0, nowMs - Math.max(atMs, worker.readyMs, nowMs - sliceMs));
      const stepMs = times.decodeStepMs(worker.answers + 1, worker.context + answer.request.isl);
      worker.join(answer, Math.min(earlierMs / stepMs, answer.left));
    }
  }

  #decode(worker: FleetWorker): void {
    const stepMs = this.#options.times.decodeStepMs(worker.answers, worker.context);
    worker.decode(sliceMs, stepMs, (answer, agoMs) => this.#ended(answer, this.nowMs - agoMs));
  }

  #ended({ request, firstMs, isLate }: Answer, endMs: number): void {
    const itlMs = Math.max(0, endMs - firstMs) / Math.max(1, request.osl - 1);
    this.#watcher.ended(request, { ttftMs: firstMs - request.atMs, itlMs });
    this.counts.served += 1;
    if (isLate) this.counts.lateFirst += 1;
    if (isLate || itlMs > this.#options.goal.itlMs) this.counts.breaches += 1;
  }
}
