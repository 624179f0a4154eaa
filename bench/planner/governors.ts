import { needOf, PhaseCapacity, PlannerCore, usualRules } from "@pixii/planner/core";
import type { PlannerRules, PlanRecord, SeenWorker, ServiceGoal } from "@pixii/planner/core";
import type { InstanceId, WorkerTimes } from "@pixii/wire";
import type { PlannedFleet } from "./fleet.ts";
import type { FleetWatch } from "./fleet_watch.ts";
import type { FleetWorker, Job } from "./fleet_worker.ts";
import type { LoadMeans } from "./load_means.ts";

/** Everything is looked at again after so long. */
export const everyMs = 5_000;
const jobs = ["prefill", "decode"] as const;

/** Moves a fleet's workers, once every `everyMs`. */
export interface Governor {
  readonly name: string;
  step(fleet: PlannedFleet, watch: FleetWatch): void;
}

/** What a governor has to know of the workers. */
export interface GovernedWorld {
  readonly times: WorkerTimes;
  readonly goal: ServiceGoal;
  readonly maxSeqs: number;
  readonly kvTokens: number;
  readonly startMs: number;
  readonly flipMs: number;
  readonly budgetGpus: number;
}

/** Workers by job. */
export type Split = Readonly<Record<Job, number>>;

/** The planner's own idea of what workers can do. */
export function capacityOf(world: GovernedWorld): PhaseCapacity {
  const { times, goal, maxSeqs, kvTokens } = world;
  return new PhaseCapacity(times, { room: { maxSeqs, kvTokens }, goal });
}

/** Nothing ever moves. */
export const still: Governor = { name: "static", step: () => {} };

/** How a threshold scaler is set. */
export interface Thresholds {
  /** Prompts, computed or waiting, and answers that one worker is to have. */
  readonly prompts: number;
  readonly answers: number;
  /** Workers go once fewer were enough for so long. */
  readonly holdMs: number;
  /** Looks that its loads are the mean of. */
  readonly looks: number;
}

/**
 * A threshold scaler as found everywhere (Kubernetes' horizontal one with a stabilization window): so many workers that each
 * has its share of what is there, rounded up; fewer only once fewer were enough for the hold time.
 */
export function thresholds({ prompts, answers, holdMs, looks }: Thresholds): Governor {
  const scaler = (job: Job, share: number, loadOf: (fleet: PlannedFleet) => number) => {
    const loads: number[] = [];
    let wants: { readonly atMs: number; readonly count: number }[] = [];
    return (fleet: PlannedFleet) => {
      loads.push(loadOf(fleet));
      if (loads.length > looks) loads.shift();
      const load = loads.reduce((sum, one) => sum + one, 0) / loads.length;
      wants = wants.filter(({ atMs }) => atMs > fleet.nowMs - holdMs);
      wants.push({ atMs: fleet.nowMs, count: Math.ceil(load / share) });
      bring(fleet, job, Math.max(1, ...wants.map(({ count }) => count)));
    };
  };
  const busy = (fleet: PlannedFleet) =>
    fleet.workers.filter((one) => one.busyUntilMs > fleet.nowMs).length;
  const prefill = scaler("prefill", prompts, (fleet) => fleet.waiting + busy(fleet));
  const decode = scaler("decode", answers, (fleet) => fleet.inside - fleet.waiting);
  return {
    name: "threshold",
    step(fleet) {
      prefill(fleet);
      decode(fleet);
    },
  };
}

/** How a clairvoyant planner is set. */
export interface Foresight {
  /** Room above what really comes, as a share of it; may be below 0. */
  readonly headroom: number;
  /** What comes is looked at in means over so long. */
  readonly smoothMs: number;
}

/** Knows what will be asked, to the request, and has the planner's own idea of capacity; pays the same start and move times. */
export function clairvoyant(
  world: GovernedWorld,
  means: LoadMeans,
  { headroom, smoothMs }: Foresight,
): Governor {
  const capacity = capacityOf(world);
  const known = new Map<number, Split>();
  const needAt = (bin: number): Split => {
    let need = known.get(bin);
    if (need === undefined) {
      const { rate, isl, osl } = means.over(bin * means.binMs, smoothMs);
      const mix = { rate: (1 + headroom) * rate, isl, newTokens: isl, osl };
      known.set(bin, need = needOf(capacity, mix, { layout: "split", most: world.budgetGpus }));
    }
    return need;
  };
  return {
    name: "clairvoyant",
    step(fleet) {
      // What is needed from now until a worker asked for at the next look would be there.
      const first = Math.floor(fleet.nowMs / means.binMs);
      const last = Math.ceil((fleet.nowMs + world.startMs + everyMs) / means.binMs);
      const most = { prefill: 1, decode: 1 };
      for (let bin = first; bin <= last; bin++) {
        const need = needAt(bin);
        for (const job of jobs) most[job] = Math.max(most[job], need[job]);
      }
      for (const [job, other] of [["prefill", "decode"], ["decode", "prefill"]] as const) {
        while (fleet.of(job).length < most[job] && fleet.of(other).length > most[other]) {
          const spare = leastBusy(fleet, other);
          if (spare === undefined) break;
          fleet.flip(spare, job);
        }
      }
      for (const job of jobs) bring(fleet, job, most[job]);
    },
  };
}

function leastBusy(fleet: PlannedFleet, job: Job): FleetWorker | undefined {
  const ready = fleet.of(job).filter((one) => one.readyMs <= fleet.nowMs);
  return ready.toSorted((a, b) => a.answers - b.answers || a.busyUntilMs - b.busyUntilMs)[0];
}

/** Starts or stops workers of a job until there are so many. */
function bring(fleet: PlannedFleet, job: Job, count: number): void {
  const have = fleet.of(job);
  for (let i = have.length; i < count; i++) fleet.start(job);
  const idle = have.toSorted((a, b) => a.answers - b.answers || a.busyUntilMs - b.busyUntilMs);
  for (const worker of idle.slice(0, Math.max(0, have.length - count))) fleet.stop(worker);
}

/** The planner itself: sees what it would see, and is obeyed. `onRecord` hears of each decision. */
export function planned(
  world: GovernedWorld,
  rules: Partial<PlannerRules> = {},
  onRecord?: (record: PlanRecord) => void,
): Governor {
  const { times, maxSeqs, kvTokens, budgetGpus, startMs, flipMs } = world;
  const core = new PlannerCore({
    ...usualRules,
    ...{ elastic: true, budgetGpus, startMs, flipMs },
    models: [{
      ...{ model: "m", goal: world.goal, layout: "split", priority: 0 },
      least: { prefill: 1, decode: 1, both: 0 },
    }],
    ...rules,
  });
  return {
    name: "planner",
    step(fleet, watch) {
      const { nowMs } = fleet;
      const workers = fleet.workers.map((one) => seenOf(one, { nowMs, kvTokens }));
      const demand = watch.seen(fleet.waiting);
      const records = core.step({
        nowMs,
        models: [{ model: "m", workers, demand, times, maxSeqs, kvTokens }],
      });
      const byId = new Map(fleet.workers.map((one) => [idOf(one), one]));
      for (const record of records) {
        onRecord?.(record);
        for (const move of record.moves) {
          if (move.kind === "start") fleet.start(move.role as Job);
          else if (move.kind === "stop") fleet.stop(byId.get(move.rank.instance)!);
          else fleet.flip(byId.get(move.rank.instance)!, move.to as Job);
        }
      }
    },
  };
}

function idOf({ id }: FleetWorker): InstanceId {
  return id.toString(16).padStart(16, "0") as InstanceId;
}

function seenOf(
  worker: FleetWorker,
  { nowMs, kvTokens }: { readonly nowMs: number; readonly kvTokens: number },
): SeenWorker {
  const state = worker.isStopping
    ? "draining"
    : worker.isFlipping
    ? "flipping"
    : worker.readyMs > nowMs
    ? "starting"
    : "live";
  return {
    ...{ rank: { instance: idOf(worker), dpRank: 0 }, role: worker.job, state },
    running: worker.answers + (worker.busyUntilMs > nowMs ? 1 : 0),
    ...{ waiting: 0, activeBlocks: worker.context, cachedBlocks: 0, totalBlocks: kvTokens },
  };
}
