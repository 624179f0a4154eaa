import { median } from "../figure.ts";
import type { Figure } from "../figure.ts";
import { breachShare } from "./proof_case.ts";
import type { ProofCase } from "./proof_case.ts";

/** The ratios over all cases: the median is the figure, every case beside it, and the worst one of its own. */
export function proofFigures(cases: readonly ProofCase[]): readonly Figure[] {
  if (cases.length === 0) return [];
  const ratio = (
    name: string,
    anchor: string,
    of: (one: ProofCase) => number | undefined,
  ): Figure[] => {
    const runs = cases.flatMap((one) => of(one) ?? []);
    if (runs.length === 0) return [];
    const shape = { unit: "ratio", better: "lower", anchor } as const;
    return [
      { figure: `planner.${name}`, value: median(runs), ...shape, runs },
      { figure: `planner.${name}.worst`, value: Math.max(...runs), ...shape },
    ];
  };
  const lost = cases.reduce((sum, { usual, planner }) => sum + usual.lost + planner.run.lost, 0);
  return [
    ...ratio(
      "breaches_vs_static",
      "best static split",
      ({ usual, equal }) => breachShare(usual) / Math.max(1e-9, breachShare(equal)),
    ),
    ...ratio(
      "hours_vs_static",
      "best static split at 99 %",
      ({ planner, leastStatic }) => planner.run.gpuHours / leastStatic.gpuHours,
    ),
    ...ratio(
      "hours_vs_clairvoyant",
      "clairvoyant at 99 %",
      ({ planner, clairvoyant }) => planner.run.gpuHours / clairvoyant.run.gpuHours,
    ),
    ...ratio(
      "hours_vs_threshold",
      "threshold scaler at 99 %",
      // Where no thresholds reach the aim there is nothing to compare with.
      ({ planner, threshold }) => threshold && planner.run.gpuHours / threshold.run.gpuHours,
    ),
    { figure: "planner.lost", value: lost, unit: "requests", better: "lower" },
  ];
}
