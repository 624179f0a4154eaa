/**
 * `deno task bench:fidelity`: how well the simulated engine with a measured profile foretells the llama worker. The same
 * load (SmolLM2, one thread, full HTTP path) runs on the llama worker, on the simulated one in real time, and on the
 * llama worker again, in turns; and once more through the simulated engine in virtual time. The errors of the medians
 * are printed beside the error between the two real runs. Flags: see `--help`.
 */
import { startDev } from "./child.ts";
import { fidelityLoad } from "./fidelity_load.ts";
import type { FidelityShape } from "./fidelity_load.ts";
import { errorsOf, mediansOf, runOver, runVirtually } from "./fidelity_run.ts";
import type { Felt } from "./fidelity_run.ts";
import { printFigure, printMachine } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";
import { measureProfile } from "./measured_profile.ts";

const values = benchFlags({
  task: "bench:fidelity",
  summary: "What a measured profile foretells against the real engine, beside real against real.",
  specs: {
    json: jsonFlag,
    rounds: { kind: "number", help: "Loads of another seed, each run by all.", fallback: 2 },
    requests: { kind: "number", help: "Requests of a load.", fallback: 8 },
    rate: { kind: "number", help: "Arrivals a second.", fallback: 0.4, min: 0 },
    profile: {
      kind: "text",
      help: "Profile of the model; measured first without it (deno task profile).",
      fallback: "",
    },
    grid: { kind: "text", help: "Grid of that.", fallback: "quick" },
    model: { kind: "text", help: "Model under test.", fallback: "smollm2" },
    seed: { kind: "number", help: "Of the loads.", fallback: 1 },
  },
});

const shape: FidelityShape = {
  requests: values.requests,
  perSecond: values.rate,
  ...{ leastPrompt: 32, mostPrompt: 288, leastOutput: 16, mostOutput: 40, sharedTokens: 64 },
};

/** The simulated worker that stands for the llama worker: its blocks, chunks and places. */
function simArgs(profile: string): string[] {
  return [
    ...["--sim-profile", profile, "--sim-block-size", "64", "--sim-blocks", "128"],
    ...["--sim-chunk-tokens", "64", "--sim-max-prefills", "1"],
  ];
}

/** Where the model's file is. */
async function modelPath(): Promise<string> {
  const main = new URL("../cluster/models/main.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", main, "info", values.model, "--json"],
    stderr: "inherit",
  }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).path;
}

type Runs = Record<"llama" | "llamaAgain" | "sim" | "virtual", Felt[]>;

async function runAll(profile: string): Promise<Runs> {
  const path = await modelPath();
  const common = [
    "--topology",
    "one",
    "--served-name",
    "bench",
    "--max-seqs",
    "8",
    "--ctx",
    "8192",
  ];
  await using llama = await startDev([...common, "--model", values.model, "--threads", "1"]);
  const passed = simArgs(profile).map((arg) =>
    arg.startsWith("--") ? `--worker.${arg.slice(2)}` : arg
  );
  await using sim = await startDev([...common, "--model", path, "--engine", "sim", ...passed]);
  const virtualArgs = [
    ...["--engine", "sim", "--model", path, "--max-seqs", "8", "--ctx", "8192"],
    ...simArgs(profile),
  ];
  const runs: Runs = { llama: [], llamaAgain: [], sim: [], virtual: [] };
  for (const url of [llama.url, sim.url]) {
    // The first request loads the vocabulary.
    const load = fidelityLoad({ ...shape, requests: 1 }, 77);
    await runOver(url, { shape, load, salt: 99_991 });
  }
  for (let round = 0; round < values.rounds; round++) {
    const load = fidelityLoad(shape, 100 * values.seed + round);
    const salt = 31 * round + 1;
    const turns = [
      async () => void runs.llama.push(...await runOver(llama.url, { shape, load, salt })),
      async () => void runs.sim.push(...await runOver(sim.url, { shape, load, salt })),
      async () =>
        void runs.llamaAgain.push(...await runOver(llama.url, { shape, load, salt: salt + 15 })),
    ];
    for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await turn();
    runs.virtual.push(...await runVirtually(virtualArgs, { shape, load, salt }));
    console.error(`after ${round + 1} of ${values.rounds} rounds:`);
    describe(runs);
  }
  return runs;
}

function describe(runs: Runs): void {
  for (const [name, felt] of Object.entries(runs)) {
    const { ttftMs, itlMs } = mediansOf(felt);
    console.error(
      `${name.padEnd(10)} TTFT p50 ${ttftMs.toFixed(1)} ms, ITL p50 ${itlMs.toFixed(2)} ms`,
    );
  }
}

function print(runs: Runs): void {
  const real = mediansOf([...runs.llama, ...runs.llamaAgain]);
  const sim = mediansOf(runs.sim);
  const virtual = mediansOf(runs.virtual);
  const noise = errorsOf(mediansOf(runs.llamaAgain), mediansOf(runs.llama));
  const worst = ({ ttftMs, itlMs }: { ttftMs: number; itlMs: number }) => Math.max(ttftMs, itlMs);
  const cases = [
    ["fidelity.llama_p50", errorsOf(sim, real), "real against real", noise],
    ["fidelity.virtual_llama_p50", errorsOf(virtual, real), "real against real", noise],
    ["fidelity.sim_p50", errorsOf(virtual, sim), undefined, undefined],
  ] as const;
  for (const [figure, errors, anchor, anchorErrors] of cases) {
    printFigure({
      figure,
      value: worst(errors),
      unit: "ratio",
      better: "lower",
      ...(anchor === undefined ? {} : { anchor, anchorValue: worst(anchorErrors) }),
      runs: [errors.ttftMs, errors.itlMs],
    }, values.json);
  }
}

await printMachine();
const folder = await Deno.makeTempDir({ prefix: "pixii-fidelity-" });
try {
  const profile = values.profile === ""
    ? `${folder}/profile.json`
    : await Deno.realPath(values.profile);
  if (values.profile === "") {
    await measureProfile(profile, { model: values.model, grid: values.grid });
  }
  print(await runAll(profile));
} finally {
  await Deno.remove(folder, { recursive: true });
}
