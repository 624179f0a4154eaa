/**
 * `deno task bench:sim`: the simulator's word against reality. One stretch of a trace runs twice through real processes
 * (frontend, router, planner, workers with the simulated engine in real time, NATS, etcd, HTTP) and once through
 * `deno task sim`'s cluster under its virtual clock, with the same flags, prompts and times. The errors of TTFT and ITL
 * are printed beside the error between the two real runs. Flags: see `--help`.
 */
import { parseConfig } from "@pixii/runtime";
import { runSim, simModel, simModelFile, simPlanOf, simSchema } from "@pixii/cluster/sim";
import { simVocabulary } from "@pixii/cluster/sim";
import type { SimPlan } from "@pixii/cluster/sim";
import { startDev } from "./child.ts";
import { printFigure, printMachine } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";
import { between, errorsOf, feltOf, runReally } from "./sim_beside.ts";
import type { FeltTimes } from "./sim_beside.ts";

const values = benchFlags({
  task: "bench:sim",
  summary: "One stretch of a trace through real processes and through the simulator.",
  specs: {
    json: jsonFlag,
    trace: {
      kind: "text",
      help: "Mooncake's JSON lines, Azure's CSV, or synthetic.",
      fallback: "synthetic",
    },
    minutes: { kind: "number", help: "Of the trace, in each run.", fallback: 3, min: 0.05 },
    rate: { kind: "number", help: "Synthetic: requests a second.", fallback: 3, min: 0.01 },
    pace: {
      kind: "number",
      help: "How much faster than recorded requests come.",
      fallback: 1,
      min: 0.001,
    },
    workers: { kind: "number", help: "Workers.", fallback: 2 },
    speed: { kind: "number", help: "Of the simulated engine.", fallback: 0.2, min: 0.001 },
    blocks: { kind: "number", help: "KV blocks of a worker.", fallback: 1024, min: 8 },
    seqs: { kind: "number", help: "Sequences in a worker's batch.", fallback: 32 },
    ctx: { kind: "number", help: "Most tokens of prompt plus output.", fallback: 8192, min: 64 },
    seed: { kind: "number", help: "Of the trace and of chance.", fallback: 1, min: 0 },
  },
});

async function planned(): Promise<SimPlan> {
  const flags = {
    ...{ trace: values.trace, minutes: values.minutes, rate: values.rate, pace: values.pace },
    ...{ workers: values.workers, blocks: values.blocks, "max-seqs": values.seqs },
    ...{ ctx: values.ctx, seed: values.seed, cancels: 0, stops: 0, deadline: "10m" },
    ...{ output: 160, worker: `sim.speed=${values.speed}` },
  };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const parsed = parseConfig(simSchema, { args, env: {} });
  if ("problems" in parsed) throw new Error(parsed.problems.join("; "));
  const plan = await simPlanOf(parsed.config, {
    vocabulary: await simVocabulary(),
    read: (path) => Deno.readTextFile(path),
  });
  if (!plan.ok) throw new Error(plan.error.message);
  return plan.value;
}

async function real(plan: SimPlan): Promise<FeltTimes> {
  const { worker, router } = plan.shape.args;
  await using dev = await startDev([
    ...["--topology", "processes", "--engine", "sim", "--model", simModelFile],
    ...["--served-name", simModel, "--workers", `${values.workers}`],
    ...passed("worker", worker),
    ...passed("router", router),
  ]);
  // The first request loads the vocabulary, and paths get warm.
  const warmUp = { ...plan, trace: { ...plan.trace, requests: warming } };
  await runReally(dev.url, simModel, warmUp);
  return await runReally(dev.url, simModel, plan);
}

/** Short prompts that share nothing with the trace's. */
const warming = Array.from({ length: 40 }, (_, i) => ({
  ...{ atMs: 50 * i, inputTokens: 40, outputTokens: 4, blocks: [] },
}));

/** `--name value` and `--name=value` of a service, as the launcher passes them on. */
function passed(service: string, args: readonly string[]): string[] {
  return args.map((arg) => arg.startsWith("--") ? `--${service}.${arg.slice(2)}` : arg);
}

function describe(name: string, { requests, ttft, itl }: FeltTimes): void {
  const text = (ms: number) => ms.toFixed(2).padStart(9);
  console.error(
    `${name.padEnd(10)} ${requests} requests, TTFT p50 ${text(ttft.p50)} p95 ${
      text(ttft.p95)
    } ms, ` +
      `ITL p50 ${text(itl.p50)} p95 ${text(itl.p95)} ms`,
  );
}

await printMachine();
const plan = await planned();
const result = await runSim(plan);
if (result.violation !== undefined) throw result.violation;
const foretold = feltOf(result.stories);
describe("simulated", foretold);
const first = await real(plan);
describe("real", first);
const second = await real(plan);
describe("again", second);
for (const at of ["p50", "p95"] as const) {
  const errors = errorsOf(foretold, between(first, second), at);
  const noise = Math.max(...errorsOf(second, first, at));
  printFigure({
    ...{ figure: `sim.real_${at}`, value: Math.max(...errors), unit: "ratio", better: "lower" },
    ...{ anchor: "real against real", anchorValue: noise, runs: errors },
  }, values.json);
}
