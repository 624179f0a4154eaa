import { FleetWatch } from "./fleet_watch.ts";
import { PlannedFleet, sliceMs } from "./fleet.ts";
import type { FleetCounts } from "./fleet.ts";
import { everyMs } from "./governors.ts";
import type { GovernedWorld, Governor } from "./governors.ts";
import type { LoadRequest } from "./request_line.ts";

/** What came of one run. */
export interface PlannerRun extends FleetCounts {
  readonly name: string;
  readonly gpuHours: number;
  /** Share of the requests served within the promise. */
  readonly attainment: number;
  /** Requests that were not served by the end. */
  readonly lost: number;
  /** Per ten minutes: GPUs by job, requests, breaches; for plots. */
  readonly timeline: readonly {
    readonly atMs: number;
    readonly prefill: number;
    readonly decode: number;
    readonly served: number;
    readonly breaches: number;
  }[];
}

/** After the last request so long is waited for its end. */
const settleMs = 600_000;

/** Runs a load through a fleet under a governor. `begin`: workers at the start. */
export function runPlanner(
  load: Iterable<LoadRequest>,
  options: {
    readonly world: GovernedWorld;
    readonly governor: Governor;
    readonly begin: { readonly prefill: number; readonly decode: number };
    /** Called once per slice, for whoever measures something of its own. */
    readonly onSlice?: (fleet: PlannedFleet) => void;
    readonly timelineMs?: number;
  },
): PlannerRun {
  const { world, governor, begin, onSlice, timelineMs = 600_000 } = options;
  const watch = new FleetWatch();
  const { ttftMs, itlMs } = world.goal;
  const fleet = new PlannedFleet({ ...world, ttftMs, itlMs }, watch);
  watch.watch(fleet);
  for (let i = 0; i < begin.prefill; i++) fleet.start("prefill", 0);
  for (let i = 0; i < begin.decode; i++) fleet.start("decode", 0);
  const timeline: {
    atMs: number;
    prefill: number;
    decode: number;
    served: number;
    breaches: number;
  }[] = [];
  let arrived = 0;
  let gpuMs = 0;
  const requests = load[Symbol.iterator]();
  let next = requests.next();
  let lastMs = 0;
  while (!next.done || (fleet.counts.served < arrived && fleet.nowMs < lastMs + settleMs)) {
    while (!next.done && next.value.atMs < fleet.nowMs + sliceMs) {
      fleet.arrive(next.value);
      arrived += 1;
      lastMs = next.value.atMs;
      next = requests.next();
    }
    fleet.advance();
    // What runs on after the load costs everybody the same, and is left out.
    if (!next.done) gpuMs = fleet.counts.gpuMs;
    onSlice?.(fleet);
    if (fleet.nowMs % everyMs < sliceMs && !next.done) governor.step(fleet, watch);
    if (fleet.nowMs % timelineMs < sliceMs) {
      const { served, breaches } = fleet.counts;
      const prefill = fleet.of("prefill").length;
      timeline.push({
        atMs: fleet.nowMs,
        prefill,
        decode: fleet.of("decode").length,
        served,
        breaches,
      });
    }
  }
  const { counts } = fleet;
  const lost = arrived - counts.served;
  return {
    ...counts,
    name: governor.name,
    gpuHours: gpuMs / 3_600_000,
    attainment: 1 - (counts.breaches + lost) / Math.max(1, arrived),
    lost,
    timeline,
  };
}
