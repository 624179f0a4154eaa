import type { LoadRequest } from "./request_line.ts";
import { MinHeap } from "./min_heap.ts";

/** What a worker of the fleet does. */
export type Job = "prefill" | "decode";

/** One answer on its way. */
export interface Answer {
  readonly request: LoadRequest;
  /** When its first token was there, and whether that was too late. */
  readonly firstMs: number;
  readonly isLate: boolean;
  /** Tokens that are still to come, and that came where it was before. */
  left: number;
  done: number;
  /** Its worker's progress when it joined. */
  began: number;
}

/** One GPU: computes one prompt at a time, or a batch of answers. */
export class FleetWorker {
  readonly id: number;
  job: Job;
  /** When it takes work of its job: later than now while it starts or changes its job. */
  readyMs: number;
  isFlipping = false;
  isStopping = false;
  /** A prompt is computed until then. */
  busyUntilMs = 0;
  /** Steps it has made. */
  #progress = 0;
  readonly #batch = new MinHeap<Answer>();
  /** Tokens of context of its batch, less its progress for each answer in it. */
  #contextBase = 0;

  constructor(id: number, job: Job, readyMs: number) {
    this.id = id;
    this.job = job;
    this.readyMs = readyMs;
  }

  /** Whether it takes work of a job now. */
  takes(job: Job, nowMs: number): boolean {
    return this.job === job && nowMs >= this.readyMs && !this.isStopping;
  }

  /** Answers in its batch. */
  get answers(): number {
    return this.#batch.size;
  }

  /** Tokens of KV that its batch holds. */
  get context(): number {
    return this.#contextBase + this.#batch.size * this.#progress;
  }

  /** Takes an answer, which has been going on for `earlierSteps` already. */
  join(answer: Answer, earlierSteps: number): void {
    answer.began = this.#progress - earlierSteps;
    this.#contextBase += answer.request.isl + answer.done - answer.began;
    this.#batch.push(answer, answer.began + answer.left);
  }

  /** Decodes for `spanMs` at `stepMs` a step; `ended` hears of each answer that is complete, and how long ago. */
  decode(spanMs: number, stepMs: number, ended: (answer: Answer, agoMs: number) => void): void {
    this.#progress += spanMs / stepMs;
    while (this.#batch.least <= this.#progress) {
      const agoMs = (this.#progress - this.#batch.least) * stepMs;
      const answer = this.#batch.pop()!;
      this.#contextBase -= answer.request.isl + answer.done - answer.began;
      ended(answer, agoMs);
    }
  }

  /** Gives its answers away, as far as they are. */
  handOver(): Answer[] {
    this.#contextBase = 0;
    const left = this.#batch.drain();
    for (const answer of left) {
      const made = Math.max(0, Math.floor(this.#progress - answer.began));
      answer.done += made;
      answer.left = Math.max(1, answer.left - made);
    }
    return left.sort((a, b) => a.firstMs - b.firstMs);
  }
}
