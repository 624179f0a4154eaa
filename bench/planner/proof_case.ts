import type { GovernedWorld } from "./governors.ts";
import type { LoadSeries } from "./load_series.ts";
import type { PlannerRun } from "./planner_run.ts";
import { Rivals } from "./rivals.ts";
import type { SetRun } from "./rivals.ts";
import { worldOf } from "./world.ts";

/** Start-up and role moves: the quickest and the slowest of both. */
export const worlds: readonly GovernedWorld[] = [
  worldOf({ startMs: 30_000, flipMs: 2_000 }),
  worldOf({ startMs: 120_000, flipMs: 10_000 }),
];

/** Everybody on one load in one world. */
export interface ProofCase {
  readonly name: string;
  readonly world: GovernedWorld;
  readonly hours: number;
  /** The planner with its usual rules, and as it reaches the aim. */
  readonly usual: PlannerRun;
  readonly planner: SetRun;
  readonly clairvoyant: SetRun;
  /** Absent where no thresholds reach the aim. */
  readonly threshold: SetRun | undefined;
  /** The best split of as many GPUs as the planner's usual run had on average, rounded up. */
  readonly equal: PlannerRun;
  /** The best split of the fewest GPUs that reach the aim. */
  readonly leastStatic: PlannerRun;
}

/** Runs everybody, in every world one after the other. */
export function compareOn(
  series: LoadSeries,
  all: readonly GovernedWorld[],
): readonly ProofCase[] {
  // Static splits do not care how long moves take: looked for once.
  const still = new Rivals(series, all[0]);
  let least: PlannerRun | undefined;
  return all.map((world): ProofCase => {
    const rivals = new Rivals(series, world);
    const { usual, reaching } = rivals.planner();
    const mean = usual.gpuHours / series.hours;
    const equal = still.staticOf(Math.ceil(mean));
    const leastStatic = least ??= still.leastStatic(Math.ceil(1.4 * mean));
    const clairvoyant = rivals.clairvoyant();
    const threshold = rivals.threshold();
    return {
      ...{ name: series.name, world, hours: series.hours, usual, planner: reaching },
      ...{ clairvoyant, threshold, equal, leastStatic },
    };
  });
}

/** Share of a run's requests that were not served within the promise. */
export function breachShare({ attainment }: PlannerRun): number {
  return 1 - attainment;
}

/** One row per case, in Markdown. */
export function proofTable(cases: readonly ProofCase[]): string {
  const head = [
    ...["load", "start, move (s)", "planner: GPU-hours, attained", "at 99 %", "moves an hour"],
    ...["clairvoyant", "threshold", "static at 99 %", "static at equal hours"],
  ];
  const of = ({ gpuHours, attainment }: PlannerRun) =>
    `${gpuHours.toFixed(1)}, ${(100 * attainment).toFixed(2)} %`;
  const rows = cases.map((one) => {
    const { world, usual, planner, clairvoyant, threshold, leastStatic, equal } = one;
    return [
      one.name,
      `${world.startMs / 1000}, ${world.flipMs / 1000}`,
      of(usual),
      `${planner.run.gpuHours.toFixed(1)} (${planner.setting})`,
      `${
        (usual.moves / one.hours).toFixed(1)
      }, ${usual.flips} of ${usual.moves} flips, ${usual.lost} lost`,
      `${of(clairvoyant.run)} (${clairvoyant.setting})`,
      threshold === undefined ? "misses" : `${of(threshold.run)} (${threshold.setting})`,
      `${of(leastStatic)} (${leastStatic.name})`,
      `${of(equal)} (${equal.name})`,
    ];
  });
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
