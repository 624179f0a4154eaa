import { needOf, PhaseCapacity, PlannerCore, usualRules } from "@pixii/planner/core";
import type { Counts, PlannerRules, SeenWorker, ServiceGoal } from "@pixii/planner/core";
import type { InstanceId, WorkerTimes } from "@pixii/wire";
import type { FleetWorker, Job, PlannedFleet } from "./fleet.ts";
import type { FleetWatch } from "./fleet_watch.ts";
import type { LoadCurve } from "./request_line.ts";

/** Everything is looked at again after so long. */
export const everyMs = 5_000;

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

/** Nothing ever moves. */
export const still: Governor = { name: "static", step: () => {} };

/**
 * A threshold scaler, as found everywhere: one worker more where the line or the batches are long, one less where they are
 * short, one at a time per job, not while one is on its way.
 */
export function thresholds(world: GovernedWorld): Governor {
  return {
    name: "threshold",
    step(fleet, watch) {
      const seen = watch.seen(fleet.waiting);
      const prefill = fleet.of("prefill");
      const decode = fleet.of("decode");
      const isMoving = (workers: readonly FleetWorker[]) =>
        workers.some(({ readyMs }) => readyMs > fleet.nowMs);
      const late = (seen.ttftP95Ms ?? 0) / world.goal.ttftMs;
      if (late > 0.8 && !isMoving(prefill)) fleet.start("prefill");
      else if (late < 0.4 && prefill.length > 1 && !isMoving(prefill)) fleet.stop(prefill[0]);
      const slow = (seen.itlP95Ms ?? 0) / world.goal.itlMs;
      if (slow > 0.9 && !isMoving(decode)) fleet.start("decode");
      else if (slow < 0.6 && decode.length > 1 && !isMoving(decode)) {
        fleet.stop(
          decode.reduce((least, one) => one.batch.length < least.batch.length ? one : least),
        );
      }
    },
  };
}

/** Knows the load's means to come, exactly, and the same capacities; keeps `headroom` for chance. */
export function clairvoyant(world: GovernedWorld, curve: LoadCurve, headroom: number): Governor {
  const capacity = new PhaseCapacity(world.times, {
    room: { maxSeqs: world.maxSeqs, kvTokens: world.kvTokens },
    goal: world.goal,
  });
  const needAt = (ms: number): Counts => {
    const { rate, isl, osl } = curve.at(ms);
    const mix = { rate: (1 + headroom) * rate, isl, newTokens: isl, osl };
    return needOf(capacity, mix, { layout: "split", most: world.budgetGpus });
  };
  return {
    name: "clairvoyant",
    step(fleet) {
      const { nowMs } = fleet;
      // What is needed from now until a worker asked for at the next look would be there.
      const all = [0, 0.25, 0.5, 0.75, 1].map((share) =>
        needAt(nowMs + share * (world.startMs + everyMs))
      );
      const most = (job: Job) => Math.max(1, ...all.map((one) => one[job]));
      for (const job of ["prefill", "decode"] as const) bring(fleet, job, most(job));
    },
  };
}

/** Starts or stops workers of a job until there are so many. */
function bring(fleet: PlannedFleet, job: Job, count: number): void {
  const have = fleet.of(job);
  for (let i = have.length; i < count; i++) fleet.start(job);
  const idle = [...have].sort((a, b) => a.batch.length - b.batch.length);
  for (let i = count; i < have.length; i++) fleet.stop(idle[i - count]);
}

/** The planner itself: sees what it would see, and is obeyed. */
export function planned(world: GovernedWorld, rules: Partial<PlannerRules>): Governor & {
  readonly core: PlannerCore;
} {
  const core = new PlannerCore({
    ...usualRules,
    ...{
      elastic: true,
      budgetGpus: world.budgetGpus,
      startMs: world.startMs,
      flipMs: world.flipMs,
    },
    models: [{
      ...{ model: "m", goal: world.goal, layout: "split", priority: 0 },
      least: { prefill: 1, decode: 1, both: 0 },
    }],
    ...rules,
  });
  return {
    name: "planner",
    core,
    step(fleet, watch) {
      const { nowMs } = fleet;
      const { times, maxSeqs, kvTokens } = world;
      const workers = fleet.workers.map((one) => seenOf(one, { nowMs, kvTokens }));
      const demand = watch.seen(fleet.waiting);
      const records = core.step({
        nowMs,
        models: [{ model: "m", workers, demand, times, maxSeqs, kvTokens }],
      });
      const byId = new Map(fleet.workers.map((one) => [idOf(one), one]));
      for (const move of records.flatMap((record) => record.moves)) {
        if (move.kind === "start") fleet.start(move.role as Job);
        else if (move.kind === "stop") fleet.stop(byId.get(move.rank.instance)!);
        else fleet.flip(byId.get(move.rank.instance)!, move.to as Job);
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
  const isBusy = worker.job === "prefill" && worker.busyUntilMs > nowMs;
  return {
    ...{ rank: { instance: idOf(worker), dpRank: 0 }, role: worker.job, state },
    ...{ running: worker.batch.length + (isBusy ? 1 : 0), waiting: 0 },
    ...{ activeBlocks: worker.promptSum, cachedBlocks: 0, totalBlocks: kvTokens },
  };
}
