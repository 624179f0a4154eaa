import { PlannedFleet, sliceMs } from "./fleet.ts";
import type { FleetCounts, Watcher } from "./fleet.ts";
import { FleetWatch } from "./fleet_watch.ts";
import { everyMs } from "./governors.ts";
import type { GovernedWorld, Governor, Split } from "./governors.ts";
import type { LoadRequest } from "./request_line.ts";

/** The fleet at a time, and what came of requests until then; for plots. */
export interface RunMoment extends Split {
  readonly atMs: number;
  readonly arrived: number;
  readonly served: number;
  readonly breaches: number;
}

/** What came of one run. */
export interface PlannerRun extends FleetCounts {
  readonly name: string;
  readonly gpuHours: number;
  /** Share of the requests served within the promise. */
  readonly attainment: number;
  /** Requests that were not served by the end. */
  readonly lost: number;
  readonly timeline: readonly RunMoment[];
  /** It was given up: more breaches than allowed. */
  readonly isCut: boolean;
}

/** After the last request so long is waited for its end. */
const settleMs = 600_000;
const timelineMs = 600_000;

/** Runs a load through a fleet under a governor. GPU-hours are those until the last request came. */
export function runPlanner(
  load: readonly LoadRequest[],
  options: {
    readonly world: GovernedWorld;
    readonly governor: Governor;
    /** Workers at the start. */
    readonly begin: Split;
    /** More breaches than this, and the run is given up. */
    readonly mostBreaches?: number;
    readonly onSlice?: (fleet: PlannedFleet) => void;
    readonly onEnded?: Watcher["ended"];
  },
): PlannerRun {
  const { world, governor, begin, mostBreaches = Infinity, onSlice, onEnded } = options;
  const watch = new FleetWatch(() => fleet.nowMs, world.goal, onEnded);
  const fleet: PlannedFleet = new PlannedFleet(world, watch);
  for (let i = 0; i < begin.prefill; i++) fleet.start("prefill", 0);
  for (let i = 0; i < begin.decode; i++) fleet.start("decode", 0);
  const timeline: RunMoment[] = [];
  const { counts } = fleet;
  const lastMs = load.at(-1)?.atMs ?? 0;
  let next = 0;
  let gpuMs = 0;
  while (next < load.length || (counts.served < next && fleet.nowMs < lastMs + settleMs)) {
    while (next < load.length && load[next].atMs < fleet.nowMs + sliceMs) {
      fleet.arrive(load[next++]);
    }
    fleet.advance();
    // What runs on after the load costs everybody the same, and is left out.
    if (next < load.length) gpuMs = counts.gpuMs;
    onSlice?.(fleet);
    if (fleet.nowMs % everyMs === 0) governor.step(fleet, watch);
    if (fleet.nowMs % timelineMs === 0) timeline.push(momentOf(fleet));
    if (counts.breaches > mostBreaches) break;
  }
  const lost = load.length - counts.served;
  return {
    ...{ ...counts, name: governor.name, gpuHours: gpuMs / 3_600_000, lost, timeline },
    attainment: 1 - (counts.breaches + lost) / Math.max(1, load.length),
    isCut: next < load.length,
  };
}

function momentOf(fleet: PlannedFleet): RunMoment {
  const { arrived, served, breaches } = fleet.counts;
  return {
    ...{ atMs: fleet.nowMs, arrived, served, breaches },
    prefill: fleet.of("prefill").length,
    decode: fleet.of("decode").length,
  };
}
