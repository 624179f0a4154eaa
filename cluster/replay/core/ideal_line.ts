import type { DenseTrace } from "./dense_trace.ts";
import { summaryOf } from "./tally.ts";
import type { DurationSummary } from "./tally.ts";

/**
 * Times to the first token if every worker had the pooled cache (`hits` blocks by request) and all requests stood in one
 * line, first come, first served: nobody ever waits beside a free worker or computes what another has. A yardstick for
 * routing over private caches, not a promise: it can do no better in both at once.
 */
export function idealTtft(
  trace: DenseTrace,
  fleet: {
    readonly hits: Int32Array;
    readonly workers: number;
    readonly tokenMs: number;
    readonly rate: number;
  },
): DurationSummary {
  const { hits, workers, tokenMs, rate } = fleet;
  const freeMs = new Float64Array(workers);
  return summaryOf(Float64Array.from(trace.requests, ({ atMs, inputTokens }, i) => {
    const first = freeMs.indexOf(Math.min(...freeMs));
    const begin = Math.max(freeMs[first], atMs / rate);
    freeMs[first] = begin + (inputTokens - hits[i] * trace.blockSize) * tokenMs;
    return freeMs[first] - atMs / rate;
  }));
}
