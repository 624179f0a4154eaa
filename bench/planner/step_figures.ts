import type { Figure } from "../figure.ts";
import type { GovernedWorld } from "./governors.ts";
import { runStep, settleAimMs, steadyMoves } from "./step_case.ts";
import type { StepCase, StepResult } from "./step_case.ts";

/** Steps of the ratio of prompt to answer tokens by four, both ways. */
const steps: readonly StepCase[] = [
  { name: "prompts x2, answers /2", factor: 4, rate: 12, isl: 700, osl: 200 },
  { name: "prompts /2, answers x2", factor: 1 / 4, rate: 12, isl: 1_400, osl: 100 },
];
const steady = { rate: 6, isl: 800, osl: 150 };

/** One step in one world. */
export interface NamedStep {
  readonly name: string;
  readonly world: GovernedWorld;
  readonly result: StepResult;
}

/** Runs all steps, and the load that stands still, in every world. */
export function runSteps(options: {
  readonly worlds: readonly GovernedWorld[];
  readonly cv: number;
  readonly seeds: number;
  /** Seed 2 takes the next so many seeds for the steps, and so on. */
  readonly seed: number;
  readonly hours: number;
}): {
  readonly figures: readonly Figure[];
  readonly results: readonly NamedStep[];
  readonly table: string;
} {
  const { worlds, cv, seeds, seed, hours } = options;
  const fromSeed = (seed - 1) * seeds + 1;
  const results = worlds.flatMap((world) =>
    steps.map((one): NamedStep => ({
      ...{ name: one.name, world, result: runStep(one, { world, seeds, fromSeed, cv }) },
    }))
  );
  const settled = results.map(({ world, result }) => result.settleMs / settleAimMs(world));
  const still = worlds.map((world) => steadyMoves(steady, { world, hours, cv, seed }));
  const moves = still.map(({ movesPerHour }) => movesPerHour);
  const rows = results.map(({ name, world, result }) =>
    `| ${name} | ${world.flipMs / 1000} s | ${result.gpus} | ${
      (result.settleMs / 1000).toFixed(0)
    } s | ${(100 * result.breachShare).toFixed(1)} % | ${
      result.flips.toFixed(1)
    } | ${result.lost} |`
  );
  const about = worlds.map(({ startMs }, i) =>
    `steady load (${steady.rate}/s, ${steady.isl} in, ${steady.osl} out, ${hours} h, start ${
      startMs / 1000
    } s): ${moves[i].toFixed(2)} moves an hour, ${
      (100 * still[i].attainment).toFixed(2)
    } % attained`
  );
  return {
    figures: [
      {
        ...{ figure: "planner.settle", value: Math.max(...settled), unit: "ratio" },
        ...{ better: "lower", runs: settled },
      },
      {
        ...{ figure: "planner.moves_per_hour", value: Math.max(...moves), unit: "1/h" },
        ...{ better: "lower", runs: moves },
      },
    ],
    results,
    table: [
      "| step | move | GPUs | outside the promise for | breaches in 5 min | flips | lost |",
      "| --- | --- | --- | --- | --- | --- | --- |",
      ...rows,
      "",
      ...about,
    ].join("\n"),
  };
}
