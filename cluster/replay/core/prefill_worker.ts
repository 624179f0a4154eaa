import { JobBlocks } from "./job_blocks.ts";
import type { HeldBlocks } from "./job_blocks.ts";
import { JobLine } from "./job_line.ts";
import type { JobSink, LineOrder, ReplayJob, ReplayWorker } from "./replay_job.ts";

/** What a worker of a replay is made of. */
export interface PrefillWorkerParts {
  readonly capacityBlocks: number;
  readonly blockSize: number;
  readonly order: LineOrder;
  /** Milliseconds that one prompt token takes. */
  readonly tokenMs: number;
  readonly sink: JobSink;
}

/**
 * A worker as the comparison of policies wants it: one prefill server over a private cache, one prompt after the other,
 * no decode. A prompt finds what is cached when it begins; its blocks are there for others when it is done.
 */
export class PrefillWorker implements ReplayWorker {
  readonly #parts: PrefillWorkerParts;
  readonly #cache: JobBlocks;
  readonly #line: JobLine;
  #job: ReplayJob | undefined;
  #held: HeldBlocks | undefined;
  #cachedTokens = 0;
  #endMs = 0;
  #busyMs = 0;

  constructor(parts: PrefillWorkerParts) {
    this.#parts = parts;
    this.#cache = new JobBlocks(parts.capacityBlocks, parts.blockSize);
    this.#line = new JobLine(parts.order, ({ request: { list, inputTokens } }) => {
      const cached = this.#cache.match(list, inputTokens) * parts.blockSize;
      return (inputTokens - cached) * parts.tokenMs;
    });
  }

  get nextMs(): number {
    return this.#job === undefined ? Infinity : this.#endMs;
  }

  get busyMs(): number {
    return this.#busyMs;
  }

  submit(job: ReplayJob): void {
    this.#line.add(job);
    if (this.#job === undefined) this.#begin(Math.max(this.#endMs, job.placedMs));
  }

  advance(nowMs: number): void {
    while (this.#job !== undefined && this.#endMs <= nowMs) {
      this.#finish();
      if (this.#line.size > 0) this.#begin(this.#endMs);
    }
  }

  checkIntegrity(): void {
    this.#cache.checkIntegrity(this.#held === undefined ? [] : [this.#held]);
    if ((this.#job === undefined) !== (this.#held === undefined)) {
      throw new Error("blocks are held for nobody");
    }
    if (this.#job === undefined && this.#line.size > 0) throw new Error("a free worker lets wait");
  }

  #begin(startMs: number): void {
    const { blockSize, tokenMs } = this.#parts;
    const job = this.#line.take(startMs);
    const { inputTokens, list } = job.request;
    const held = this.#cache.attach(list, inputTokens);
    this.#cachedTokens = held.stored * blockSize;
    if (!this.#cache.grow(held, inputTokens)) {
      throw new Error(`a prompt of ${inputTokens} tokens was placed where it does not fit`);
    }
    const workMs = (inputTokens - this.#cachedTokens) * tokenMs;
    this.#job = job;
    this.#held = held;
    this.#endMs = startMs + workMs;
    this.#busyMs += workMs;
  }

  #finish(): void {
    const { sink } = this.#parts;
    const job = this.#job!;
    const held = this.#held!;
    this.#job = this.#held = undefined;
    this.#cache.store(held, job.request.inputTokens);
    this.#cache.release(held);
    sink.events(this.#cache.takeEvents(), this.#endMs);
    sink.firstToken(job, this.#endMs, this.#cachedTokens);
    sink.ended(job, this.#endMs);
  }
}
