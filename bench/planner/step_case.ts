import { bestSplit, needOf, sizeOf } from "@pixii/planner/core";
import type { Mix } from "@pixii/planner/core";
import { capacityOf, everyMs, planned } from "./governors.ts";
import type { GovernedWorld } from "./governors.ts";
import { runPlanner } from "./planner_run.ts";
import { LoadCurve, requestsOf } from "./request_line.ts";
import type { LoadPoint, LoadRequest } from "./request_line.ts";

/** Room above what the new mix needs. */
const headroom = 0.2;
/** Before the step, and looked at behind it. */
const beforeMs = 1_200_000;
const afterMs = 300_000;
const binMs = 5_000;
/** More breaches than this share of a bin's requests is outside the promise (it is for 95 of 100). */
const outside = 0.05;
const longest = 6_000;

/** A step of the ratio of prompt to answer tokens: prompts so many times as long, answers so many times as short. */
export interface StepCase {
  readonly name: string;
  readonly factor: number;
  readonly rate: number;
  readonly isl: number;
  readonly osl: number;
}

/** What came of a step, over several seeds together. */
export interface StepResult {
  readonly gpus: number;
  /** From the step until the end of the last five seconds whose requests were not served within the promise; 0 where there was none. */
  readonly settleMs: number;
  readonly flips: number;
  readonly lost: number;
  /** Share of the requests of every five seconds that were served within the promise; the first is the step's. */
  readonly shares: readonly number[];
  /** Of the requests that came within five minutes behind the step. */
  readonly breachShare: number;
}

/** Runs a step on a fleet whose size stands still: only roles change. */
export function runStep(
  one: StepCase,
  options: {
    readonly world: GovernedWorld;
    readonly seeds: number;
    /** The first of the seeds, 1 without it. */
    readonly fromSeed?: number;
    readonly cv: number;
  },
): StepResult {
  const { world, seeds, fromSeed = 1, cv } = options;
  const capacity = capacityOf(world);
  const { rate } = one;
  const mixOf = (isl: number, osl: number): Mix => ({ rate, isl, newTokens: isl, osl });
  const [before, after] = [
    mixOf(one.isl, one.osl),
    mixOf(one.isl * Math.sqrt(one.factor), one.osl / Math.sqrt(one.factor)),
  ];
  const needed = (mix: Mix) => sizeOf(needOf(capacity, mix, { layout: "split", most: 200 }));
  const gpus = Math.ceil(Math.max(needed(before), (1 + headroom) * needed(after)));
  const begin = bestSplit(capacity, before, { gpus, least: { prefill: 1, decode: 1, both: 0 } });
  const bins = afterMs / binMs;
  const [all, bad] = [new Float64Array(bins), new Float64Array(bins)];
  let flips = 0;
  let lost = 0;
  for (let seed = fromSeed; seed < fromSeed + seeds; seed++) {
    const load = stepLoad(before, after, { seed, cv });
    const run = runPlanner(load, {
      ...{ world, begin, governor: planned(world, { elastic: false, budgetGpus: gpus }) },
      onEnded: (request, { ttftMs, itlMs }) => {
        const bin = Math.floor((request.atMs - beforeMs) / binMs);
        if (bin < 0 || bin >= bins) return;
        all[bin] += 1;
        if (ttftMs > world.goal.ttftMs || itlMs > world.goal.itlMs) bad[bin] += 1;
      },
    });
    flips += run.flips;
    lost += run.lost;
  }
  const shares = [...all].map((count, i) => count === 0 ? 1 : 1 - bad[i] / count);
  const last = shares.findLastIndex((share) => 1 - share > outside);
  const sum = (of: Float64Array) => of.reduce((total, value) => total + value, 0);
  const settleMs = (last + 1) * binMs;
  return { gpus, settleMs, flips: flips / seeds, lost, shares, breachShare: sum(bad) / sum(all) };
}

/** How long settling may take: the move, and the look that sees it. */
export function settleAimMs({ flipMs }: GovernedWorld): number {
  return flipMs + everyMs;
}

function stepLoad(
  before: Mix,
  after: Mix,
  { seed, cv }: { readonly seed: number; readonly cv: number },
): LoadRequest[] {
  const point = (atMs: number, { rate, isl, osl }: Mix): LoadPoint => ({ atMs, rate, isl, osl });
  const curve = new LoadCurve([
    point(0, before),
    point(beforeMs, before),
    point(beforeMs + 1, after),
    point(beforeMs + afterMs, after),
  ]);
  return [...requestsOf(curve, { seed, cv, longest })];
}

/** Moves per hour on a load whose means stand still, from the second hour on. */
export function steadyMoves(
  point: Omit<LoadPoint, "atMs">,
  options: {
    readonly world: GovernedWorld;
    readonly hours: number;
    readonly cv: number;
    readonly seed?: number;
  },
): { readonly movesPerHour: number; readonly attainment: number; readonly lost: number } {
  const { world, hours, cv, seed = 1 } = options;
  const hourMs = 3_600_000;
  const curve = new LoadCurve([{ ...point, atMs: 0 }, { ...point, atMs: (1 + hours) * hourMs }]);
  const load = [...requestsOf(curve, { seed, cv, longest })];
  const mix = { ...point, newTokens: point.isl };
  const begin = needOf(capacityOf(world), mix, { layout: "split", most: 200 });
  let first = 0;
  const run = runPlanner(load, {
    ...{ world, begin, governor: planned(world) },
    onSlice: ({ nowMs, counts }) => {
      if (nowMs === hourMs) first = counts.moves;
    },
  });
  return { movesPerHour: (run.moves - first) / hours, attainment: run.attainment, lost: run.lost };
}
