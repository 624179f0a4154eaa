import { ageingShare } from "./replay_job.ts";
import type { LineOrder, ReplayJob } from "./replay_job.ts";

/** The jobs that wait at one worker. */
export class JobLine {
  readonly #order: LineOrder;
  readonly #workMs: (job: ReplayJob) => number;
  #jobs: (ReplayJob | undefined)[] = [];
  #from = 0;

  /** `workMs` tells how long a job would take now; asked in order `shortest` only. */
  constructor(order: LineOrder, workMs: (job: ReplayJob) => number) {
    this.#order = order;
    this.#workMs = workMs;
  }

  /** Jobs that wait. */
  get size(): number {
    return this.#jobs.length - this.#from;
  }

  /** A job joins. */
  add(job: ReplayJob): void {
    this.#jobs.push(job);
  }

  /** A job goes back to the front: it had begun. */
  putBack(job: ReplayJob): void {
    if (this.#from > 0) this.#jobs[--this.#from] = job;
    else this.#jobs.unshift(job);
  }

  /** When the earliest of those that wait came; undefined where nobody does. */
  get firstMs(): number | undefined {
    return this.#jobs[this.#from]?.atMs;
  }

  /** Takes the job that is next at `nowMs`: the first, or the one with the least work, less a share of its waiting. Not empty. */
  take(nowMs: number): ReplayJob {
    const at = this.#order === "fcfs" ? this.#from : this.#shortest(nowMs);
    const job = this.#jobs[at]!;
    if (at === this.#from) {
      this.#jobs[this.#from++] = undefined;
      if (this.#from > 64 && 2 * this.#from > this.#jobs.length) {
        this.#jobs = this.#jobs.slice(this.#from);
        this.#from = 0;
      }
    } else this.#jobs.splice(at, 1);
    return job;
  }

  #shortest(nowMs: number): number {
    let best = this.#from;
    let least = Infinity;
    for (let at = this.#from; at < this.#jobs.length; at++) {
      const job = this.#jobs[at]!;
      if (job.atMs > nowMs) continue;
      const rank = this.#workMs(job) - ageingShare * (nowMs - job.atMs);
      if (rank < least) [best, least] = [at, rank];
    }
    return best;
  }
}
