import { noWorkers } from "./capacity/need.ts";
import type { Counts } from "./capacity/need.ts";
import { LeftSizes } from "./left_sizes.ts";

const jobs = ["prefill", "decode", "both"] as const;
const hourMs = 3_600_000;

/** All jobs of a model at one time. */
export interface JobsStep {
  readonly nowMs: number;
  readonly have: Counts;
  readonly need: Counts;
  /** Prompt and answer tokens per second that are foretold. */
  readonly load: { readonly prompts: number; readonly answers: number };
}

/** The sizes of a model's jobs that were left and soon needed again, job by job (`LeftSizes`). */
export class TriedSizes {
  readonly #left = {
    prefill: new LeftSizes(),
    decode: new LeftSizes(),
    both: new LeftSizes(),
  };
  #fewest: Counts = noWorkers;

  /** Takes a step; answers the fewest workers of each job that were not tried in vain under this load. O(1). */
  take({ nowMs, have, need, load: { prompts, answers } }: JobsStep): Counts {
    const of = (job: keyof Counts, load: number) =>
      this.#left[job].take({ nowMs, have: have[job], need: need[job], load });
    return this.#fewest = {
      prefill: of("prefill", prompts),
      decode: of("decode", answers),
      both: of("both", prompts + answers),
    };
  }

  /** Why no fewer are wanted, in words: of the jobs that are held above `enough`; empty where none is. */
  why({ want, enough, nowMs }: {
    readonly want: Counts;
    /** What would be wanted if nothing had been tried. */
    readonly enough: Counts;
    readonly nowMs: number;
  }): string {
    return jobs.filter((job) => want[job] > enough[job] && this.#fewest[job] >= want[job])
      .map((job) => {
        const tooFew = this.#fewest[job] - 1;
        const hours = Math.ceil(((this.#left[job].untilMs ?? nowMs) - nowMs) / hourMs);
        return `${tooFew} ${job} ${
          tooFew === 1 ? "worker" : "workers"
        } proved too few for this load: not tried again within ${hours} h`;
      }).join("; ");
  }
}
