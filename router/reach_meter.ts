import type { Reach, ReachCounts } from "./core/reach.ts";
import type { RouterMetrics } from "./metrics.ts";

/** Names of the counts, and of their counters. */
const names = [
  ["blocks", "reachBlocks"],
  ["achieved", "achievedBlocks"],
  ["reachable", "reachableBlocks"],
] as const;

/** Brings the counters of reachable and achieved hits up to what the core has counted, when somebody reads them. */
export class ReachMeter {
  readonly #metrics: Pick<RouterMetrics, typeof names[number][1]>;
  #last = new Map<string, ReachCounts>();

  constructor(metrics: Pick<RouterMetrics, typeof names[number][1]>) {
    this.#metrics = metrics;
  }

  /** Adds what came since the last time. */
  collect(reach: Reach): void {
    const counts = reach.counts();
    for (const now of counts) {
      const { model } = now;
      const before = this.#last.get(model);
      for (const [count, counter] of names) {
        // A model that was forgotten and came back begins at 0 again.
        const more = Math.max(0, now[count] - (before?.[count] ?? 0));
        this.#metrics[counter].add(more, { model });
      }
    }
    this.#last = new Map(counts.map((one) => [one.model, one]));
  }
}
