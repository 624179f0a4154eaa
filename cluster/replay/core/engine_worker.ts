import type { StepShape, StepTime } from "@pixii/workers/sim";
import { JobBlocks } from "./job_blocks.ts";
import type { HeldBlocks } from "./job_blocks.ts";
import { JobLine } from "./job_line.ts";
import type { JobSink, LineOrder, ReplayJob, ReplayWorker } from "./replay_job.ts";

/** What a worker with decode is made of. */
export interface EngineWorkerParts {
  readonly capacityBlocks: number;
  readonly blockSize: number;
  readonly maxSeqs: number;
  /** Most tokens of one step over all sequences. */
  readonly batchTokens: number;
  readonly order: LineOrder;
  readonly time: (shape: StepShape) => StepTime;
  readonly sink: JobSink;
}

/** A job that runs. */
interface Sequence {
  readonly job: ReplayJob;
  readonly held: HeldBlocks;
  readonly cachedTokens: number;
  /** Tokens to say: what was asked for, as far as the cache can hold it. */
  readonly outputTokens: number;
  /** Tokens to compute before the next can be said: the prompt, and what was said before blocks were lost. */
  target: number;
  computed: number;
  planned: number;
  said: number;
  saidMs: number;
}

/** Decode steps that are taken as one, where nothing else can happen in between. */
const mostSteps = 256;

/**
 * A worker as engines are: continuous batching under a budget of tokens, prompts in chunks, decode of everybody else in
 * the same steps, the last in rank gives its blocks up where none is free. Runs of steps that only decode are taken as
 * one, each step as long as their mean; an arrival ends the run at the next step.
 */
export class EngineWorker implements ReplayWorker {
  readonly #parts: EngineWorkerParts;
  readonly #cache: JobBlocks;
  readonly #line: JobLine;
  readonly #running: Sequence[] = [];
  /** What preempted jobs have said. */
  readonly #said = new Map<ReplayJob, { readonly said: number; readonly saidMs: number }>();
  #startMs = 0;
  #endMs = 0;
  /** Steps of the planned run; 0 = none is planned. */
  #steps = 0;
  #busyMs = 0;

  constructor(parts: EngineWorkerParts) {
    this.#parts = parts;
    this.#cache = new JobBlocks(parts.capacityBlocks, parts.blockSize);
    this.#line = new JobLine(parts.order, ({ request: { list, inputTokens } }) => {
      const prefillTokens = inputTokens -
        this.#cache.match(list, inputTokens) * parts.blockSize;
      const time = parts.time({ ...idle, prefillTokens, capacityTokens: 1 });
      return time.prefillMs;
    });
  }

  get nextMs(): number {
    return this.#steps === 0 ? Infinity : this.#endMs;
  }

  get busyMs(): number {
    return this.#busyMs;
  }

  submit(job: ReplayJob): void {
    this.#line.add(job);
    if (this.#steps === 0) return this.#plan(Math.max(this.#endMs, job.placedMs));
    if (this.#steps === 1 || this.#running.length >= this.#parts.maxSeqs) return;
    // The run ends with the step that is under way.
    const stepMs = (this.#endMs - this.#startMs) / this.#steps;
    const steps = Math.max(1, Math.ceil((job.placedMs - this.#startMs) / stepMs));
    if (steps >= this.#steps) return;
    this.#busyMs -= (this.#steps - steps) * stepMs;
    this.#steps = steps;
    this.#endMs = this.#startMs + steps * stepMs;
  }

  advance(nowMs: number): void {
    while (this.#steps > 0 && this.#endMs <= nowMs) {
      this.#finish();
      this.#plan(this.#endMs);
    }
  }

  checkIntegrity(): void {
    this.#cache.checkIntegrity(this.#running.map(({ held }) => held));
    if (this.#steps === 0 && this.#running.length + this.#line.size > 0) {
      throw new Error("a free worker lets wait");
    }
  }

  #plan(startMs: number): void {
    this.#growDecoding();
    let budget = this.#parts.batchTokens - this.#decoding().length;
    for (const one of this.#running) budget -= this.#planPrefill(one, budget);
    while (budget > 0) {
      const one = this.#admit(startMs);
      if (one === undefined) break;
      budget -= this.#planPrefill(one, budget);
    }
    const decoding = this.#decoding();
    const prefilling = this.#running.filter(({ planned }) => planned > 0);
    this.#steps = prefilling.length > 0 ? 1 : this.#coalesce(decoding);
    if (this.#steps === 0) return;
    const shape = this.#shape(prefilling, decoding);
    const { prefillMs, decodeMs } = this.#parts.time(shape);
    this.#startMs = startMs;
    this.#endMs = startMs + this.#steps * (prefillMs + decodeMs);
    this.#busyMs += this.#endMs - startMs;
  }

  /** Room for one more token of everybody that decodes; those who find none push the last in rank out. */
  #growDecoding(): void {
    for (let i = 0; i < this.#running.length; i++) {
      const one = this.#running[i];
      if (one.computed < one.target) continue;
      this.#grow(one, one.target + 1);
    }
  }

  /** Room for so many tokens of a running job, taken from the last in rank where none is free; false where that is itself. */
  #grow(one: Sequence, tokens: number): boolean {
    while (!this.#cache.grow(one.held, tokens)) {
      const last = this.#running[this.#running.length - 1];
      this.#preempt(last);
      if (last === one) return false;
    }
    return true;
  }

  #decoding(): Sequence[] {
    return this.#running.filter(({ computed, target }) => computed === target);
  }

  #preempt(last: Sequence): void {
    this.#running.pop();
    this.#cache.release(last.held);
    this.#said.set(last.job, { said: last.said, saidMs: last.saidMs });
    this.#line.putBack(last.job);
  }

  #planPrefill(one: Sequence, budget: number): number {
    if (one.computed >= one.target) return 0;
    const wanted = Math.min(one.target - one.computed, budget);
    if (wanted <= 0) return 0;
    if (!this.#grow(one, one.computed + wanted)) return 0;
    one.planned = wanted;
    return wanted;
  }

  /** Starts the next that waits where all of its prompt fits. */
  #admit(nowMs: number): Sequence | undefined {
    const { maxSeqs, blockSize } = this.#parts;
    if (this.#line.size === 0 || this.#running.length >= maxSeqs) return undefined;
    const job = this.#line.take(nowMs);
    const { list, inputTokens } = job.request;
    const before = this.#said.get(job);
    const target = inputTokens + (before?.said ?? 0);
    const held = this.#cache.attach(list, inputTokens);
    const needed = Math.ceil((target + 1) / blockSize) - held.stored;
    if (this.#running.length > 0 && needed > this.#cache.free) {
      this.#cache.release(held);
      this.#line.putBack(job);
      return undefined;
    }
    this.#said.delete(job);
    const cachedTokens = held.stored * blockSize;
    const room = this.#parts.capacityBlocks * blockSize - inputTokens;
    const outputTokens = Math.max(1, Math.min(job.request.outputTokens, room));
    const one = {
      ...{ job, held, cachedTokens, outputTokens, target, computed: cachedTokens, planned: 0 },
      ...{ said: before?.said ?? 0, saidMs: before?.saidMs ?? 0 },
    };
    this.#running.push(one);
    return one;
  }

  /** How many steps can be taken as one: until somebody ends or blocks run out. */
  #coalesce(decoding: readonly Sequence[]): number {
    if (decoding.length === 0) return 0;
    let steps = mostSteps;
    for (const { outputTokens, said } of decoding) steps = Math.min(steps, outputTokens - said);
    const { blockSize } = this.#parts;
    const needed = (count: number) =>
      decoding.reduce(
        (sum, { target, held }) =>
          sum + Math.max(0, Math.ceil((target + count) / blockSize) - held.blocks.length),
        0,
      );
    while (steps > 1 && needed(steps) > this.#cache.free) steps >>= 1;
    for (const { held, target } of decoding) this.#cache.grow(held, target + steps);
    return steps;
  }

  #shape(prefilling: readonly Sequence[], decoding: readonly Sequence[]): StepShape {
    const { capacityBlocks, blockSize } = this.#parts;
    let [prefillTokens, prefillContext, activeTokens] = [0, 0, 0];
    for (const { planned, computed } of prefilling) {
      prefillTokens += planned;
      prefillContext += planned * computed;
    }
    for (const { target } of decoding) activeTokens += target + (this.#steps - 1) / 2;
    return {
      ...{ prefillTokens, prefillContext, activeTokens, decodeSequences: decoding.length },
      ...{ capacityTokens: capacityBlocks * blockSize, hostTokens: 0 },
    };
  }

  #finish(): void {
    const { sink } = this.#parts;
    const steps = this.#steps;
    const stepMs = (this.#endMs - this.#startMs) / steps;
    this.#steps = 0;
    const begun: Sequence[] = [];
    let even = 0;
    for (const one of this.#running) {
      if (one.planned === 0 && one.computed < one.target) continue;
      const isPrefill = one.planned > 0;
      one.computed += isPrefill ? one.planned : 0;
      one.planned = 0;
      if (isPrefill) this.#cache.store(one.held, one.computed);
      if (one.computed < one.target) continue;
      const count = isPrefill ? 1 : steps;
      if (one.said === 0) begun.push(one);
      else if (one.saidMs === this.#startMs) even += count;
      else {
        sink.tokens(this.#startMs + stepMs - one.saidMs, 1);
        even += count - 1;
      }
      one.said += count;
      one.target += count;
      one.computed = one.target;
      one.saidMs = this.#endMs;
    }
    if (even > 0) sink.tokens(stepMs, even);
    const ended = this.#leave();
    sink.events(this.#cache.takeEvents(), this.#endMs);
    for (const { job, cachedTokens } of begun) sink.firstToken(job, this.#endMs, cachedTokens);
    for (const job of ended) sink.ended(job, this.#endMs);
  }

  /** Takes those out that have said everything. */
  #leave(): ReplayJob[] {
    const ended: ReplayJob[] = [];
    let kept = 0;
    for (const one of this.#running) {
      if (one.said >= one.outputTokens) {
        this.#cache.release(one.held);
        ended.push(one.job);
      } else this.#running[kept++] = one;
    }
    this.#running.length = kept;
    return ended;
  }
}

const idle: StepShape = {
  ...{ prefillTokens: 0, prefillContext: 0, decodeSequences: 0, activeTokens: 0 },
  ...{ capacityTokens: 1, hostTokens: 0 },
};
