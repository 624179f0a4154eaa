import type { PhaseCapacity } from "./phase_capacity.ts";
import type { Mix } from "./service_goal.ts";

/** How a model's workers are used: each phase has its own, or all do both. */
export type Layout = "split" | "both";

/** Workers by job. In layout `both` only `both` counts, in `split` the other two. */
export interface Counts {
  readonly prefill: number;
  readonly decode: number;
  readonly both: number;
}

/** No workers. */
export const noWorkers: Counts = { prefill: 0, decode: 0, both: 0 };

/** GPUs that counts take. */
export function sizeOf({ prefill, decode, both }: Counts): number {
  return prefill + decode + both;
}

/** True where both have as many workers of each job. */
export function sameCounts(a: Counts, b: Counts): boolean {
  return a.prefill === b.prefill && a.decode === b.decode && a.both === b.both;
}

/** Requests per second that these workers serve within the goal. */
export function rateOf(capacity: PhaseCapacity, counts: Counts, mix: Mix): number {
  const split = counts.prefill + counts.decode === 0
    ? 0
    : Math.min(capacity.prefillRate(counts.prefill, mix), capacity.decodeRate(counts.decode, mix));
  return split + (counts.both === 0 ? 0 : capacity.bothRate(counts.both, mix));
}

/** Fewest workers of one job whose rate reaches `rate`; `most` where none does. O(log most) questions. */
export function fewest(rate: number, most: number, rateOf: (workers: number) => number): number {
  if (rate <= 0) return 0;
  let [low, high] = [1, most];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (rateOf(middle) >= rate) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Fewest workers that serve the mix within the goal, up to `most` of each job. */
export function needOf(
  capacity: PhaseCapacity,
  mix: Mix,
  { layout, most }: { readonly layout: Layout; readonly most: number },
): Counts {
  if (layout === "both") {
    return { ...noWorkers, both: fewest(mix.rate, most, (n) => capacity.bothRate(n, mix)) };
  }
  return {
    prefill: fewest(mix.rate, most, (n) => capacity.prefillRate(n, mix)),
    decode: fewest(mix.rate, most, (n) => capacity.decodeRate(n, mix)),
    both: 0,
  };
}

/**
 * The split of `gpus` workers that serves the most of the mix within the goal, each job at least at its minimum. Of equal
 * ones the one that leaves both phases the same relative room. O(gpus).
 */
export function bestSplit(
  capacity: PhaseCapacity,
  mix: Mix,
  { gpus, least }: { readonly gpus: number; readonly least: Counts },
): Counts {
  let best: Counts | undefined;
  let bestRoom = -1;
  const probe: Mix = { ...mix, rate: Math.max(mix.rate, 1e-6) };
  for (let prefill = least.prefill; prefill <= gpus - least.decode; prefill++) {
    const counts = { prefill, decode: gpus - prefill, both: 0 };
    const room = Math.min(
      capacity.prefillRate(prefill, probe) / probe.rate,
      capacity.decodeRate(gpus - prefill, probe) / probe.rate,
    );
    if (best === undefined || room > bestRoom) [best, bestRoom] = [counts, room];
  }
  return best ??
    { prefill: Math.min(least.prefill, gpus), decode: Math.max(0, gpus - least.prefill), both: 0 };
}
