import { barPlot, linePlot } from "@pixii/cluster/plots";
import type { ProofCase } from "./proof_case.ts";
import type { PlannerRun } from "./planner_run.ts";
import type { NamedStep } from "./step_figures.ts";

/** Most points of a line. */
const mostPoints = 300;

/** Plots by file name: GPUs over time on each load, GPU-hours of everybody, breaches, and what steps did. */
export function proofPlots(
  cases: readonly ProofCase[],
  steps: readonly NamedStep[],
): ReadonlyMap<string, string> {
  const plots = new Map<string, string>();
  for (const one of cases) {
    const { name, world, usual, clairvoyant, leastStatic, hours } = one;
    const seconds = world.startMs / 1000;
    const gpus = leastStatic.gpuHours / hours;
    plots.set(
      `planner-gpus-${name}-${seconds}s.svg`,
      linePlot({
        title: `${name}, ${seconds} s to start`,
        ...{ xUnit: "hours", yUnit: "GPUs", linear: true },
        series: [
          { name: "planner", points: gpusOver(usual) },
          { name: "clairvoyant", points: gpusOver(clairvoyant.run) },
          { name: "best static at 99 %", points: [{ x: 0, y: gpus }, { x: hours, y: gpus }] },
        ],
      }),
    );
  }
  if (cases.length > 0) {
    plots.set(
      "planner-hours.svg",
      barPlot({
        ...{ title: "GPU-hours at 99 % attainment", unit: "best static split = 1" },
        bars: cases.flatMap((one) => {
          const at = (who: string, run: PlannerRun) => ({
            name: `${one.name} ${one.world.startMs / 1000} s ${who}`,
            value: run.gpuHours / one.leastStatic.gpuHours,
          });
          const { planner, clairvoyant, threshold } = one;
          return [
            at("planner", planner.run),
            at("foresight", clairvoyant.run),
            ...(threshold === undefined ? [] : [at("threshold", threshold.run)]),
          ];
        }),
        line: { name: "aim", value: 0.75 },
      }),
    );
  }
  plots.set(
    "planner-steps.svg",
    linePlot({
      ...{ title: "Served within the promise around a step of the mix", linear: true },
      ...{ xUnit: "seconds behind the step", yUnit: "share, 5 s" },
      series: steps.map(({ name, world, result }) => ({
        name: `${name}, ${world.flipMs / 1000} s`,
        points: result.shares.slice(0, 24).map((y, i) => ({ x: 5 * i, y })),
      })),
    }),
  );
  return plots;
}

function gpusOver({ timeline }: PlannerRun) {
  const step = Math.max(1, Math.ceil(timeline.length / mostPoints));
  return timeline.filter((_, i) => i % step === 0).map(({ atMs, prefill, decode }) => ({
    x: atMs / 3_600_000,
    y: prefill + decode,
  }));
}
