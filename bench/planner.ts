/**
 * `deno task bench:planner [--trace FILE,...] [--json]`: the planner's own core moves a virtual fleet under real loads, against
 * the best static split, a threshold scaler and a planner that knows what will come, all in one world.
 */
import { printFigure, printMachine } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";
import { readSeries } from "./planner/load_series.ts";
import { compareOn, proofTable, worlds } from "./planner/proof_case.ts";
import type { ProofCase } from "./planner/proof_case.ts";
import { proofPlots } from "./planner/proof_plots.ts";
import { runSteps } from "./planner/step_figures.ts";
import { proofFigures } from "./planner/proof_figures.ts";
import { aboutWorld } from "./planner/world.ts";

const flags = benchFlags({
  task: "bench:planner",
  summary:
    "The planner on a virtual fleet, against static splits, a threshold scaler and foresight.",
  specs: {
    json: jsonFlag,
    trace: {
      kind: "text",
      help:
        "Loads, separated by commas: files of ten-minute rates (t_s,MODEL_req_per_s,...) or of requests (TIMESTAMP,ContextTokens,GeneratedTokens); a made day without it.",
    },
    only: {
      kind: "text",
      help: "Only loads of these names, separated by commas; none: steps alone.",
    },
    days: { kind: "number", fallback: 1, min: 0.05, help: "Days of files of rates." },
    gpus: { kind: "number", fallback: 12, min: 2, help: "GPUs that have work on average." },
    "most-rate": { kind: "number", fallback: 8, help: "But not more requests per second." },
    cv: { kind: "number", fallback: 1.5, min: 0.1, help: "Coefficient of variation of gaps." },
    seed: { kind: "number", fallback: 1, help: "Seed of the requests." },
    plots: { kind: "text", help: "A folder for plots (SVG)." },
    quick: { kind: "switch", help: "One world, a quarter of a day, and one seed per step." },
  },
});

await printMachine();
console.error(`world: ${aboutWorld}`);
const days = flags.quick ? Math.min(flags.days, 0.25) : flags.days;
const { seed, cv, gpus } = flags;
const options = { world: worlds[0], seed, cv, days, gpus, mostRate: flags["most-rate"] };
const only = flags.only?.split(",");
const cases: ProofCase[] = [];
for await (const series of readSeries(flags.trace?.split(",") ?? [], options)) {
  if (only !== undefined && !only.includes(series.name)) continue;
  console.error(
    `${series.name}: ${series.requests.length} requests in ${
      series.hours.toFixed(1)
    } h; ${series.about}`,
  );
  cases.push(...compareOn(series, flags.quick ? worlds.slice(0, 1) : worlds));
}
console.error(`\n${proofTable(cases)}\n`);
const steps = runSteps({
  worlds,
  cv,
  seed,
  seeds: flags.quick ? 2 : 16,
  hours: flags.quick ? 2 : 12,
});
console.error(`${steps.table}\n`);
for (const figure of [...proofFigures(cases), ...steps.figures]) printFigure(figure, flags.json);
if (flags.plots !== undefined) {
  await Deno.mkdir(flags.plots, { recursive: true });
  for (const [name, svg] of proofPlots(cases, steps.results)) {
    await Deno.writeTextFile(`${flags.plots}/${name}`, svg);
  }
}
