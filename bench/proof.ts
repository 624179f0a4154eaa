/**
 * `deno task proof:kv`: the same prompts through the whole house as real processes, once with nothing but a worker's own
 * cache and once per way in which KV can travel. One thread, one request at a time; tokens must be the same. Exit 1 where
 * one differs, or where a way was not used.
 */
import { printMachine } from "./figure.ts";
import { benchFlags } from "./flags.ts";
import {
  fullSizes,
  isProved,
  proofModes,
  proofPrompts,
  proofReport,
  runProof,
} from "./proof/mod.ts";
import type { ProofMode } from "./proof/mod.ts";

const values = benchFlags({
  task: "proof:kv",
  summary: "Tokens with KV from tiers and other processes against tokens without, on a real model.",
  specs: {
    model: { kind: "text", help: "A model as deno task dev takes it.", fallback: "smollm2" },
    prompts: { kind: "number", help: "Prompts, 1 to 100,000.", fallback: 300 },
    first: { kind: "number", help: "Number of the first prompt.", fallback: 0, min: 0 },
    only: {
      kind: "text",
      help: `Modes, with commas: ${proofModes.map(({ name }) => name).join(", ")}.`,
      fallback: "",
    },
    "kv-type": { kind: "text", help: "f16 or q8_0.", fallback: "f16" },
    ctx: { kind: "number", help: "Tokens of a worker's cache, a multiple of 256.", fallback: 1280 },
    "kv-disk": { kind: "text", help: "Size of the disk tier.", fallback: "4GiB" },
    "kv-host": { kind: "text", help: "Size of the host tier.", fallback: "1GiB" },
  },
});

/** The modes asked for; ends with 2 where there is none of that name. */
function chosenModes(): readonly ProofMode[] {
  if (values.only === "") return proofModes;
  return values.only.split(",").map((name) => {
    const mode = proofModes.find((one) => one.name === name);
    if (mode !== undefined) return mode;
    const known = proofModes.map((one) => one.name).join(", ");
    console.error(`--only ${name}: there is no such mode; there are ${known}`);
    Deno.exit(2);
  });
}

const barCells = 30;
const isTerminal = Deno.stderr.isTerminal();

/** A bar that moves on a terminal, a line per tenth elsewhere. */
function progress(mode: string, done: number, of: number): void {
  const filled = Math.round(barCells * done / of);
  const bar = "#".repeat(filled) + ".".repeat(barCells - filled);
  const line = `${mode.padEnd(12)} [${bar}] ${done}/${of}`;
  const isNewTenth = Math.floor(10 * done / of) !== Math.floor(10 * (done - 1) / of);
  if (isTerminal) {
    Deno.stderr.writeSync(new TextEncoder().encode(`\r${line}${done === of ? "\n" : ""}`));
  } else if (isNewTenth) console.error(line);
}

async function main(): Promise<number> {
  const kvType = values["kv-type"];
  if (kvType !== "f16" && kvType !== "q8_0") {
    console.error(`--kv-type is f16 or q8_0, got ${kvType}`);
    return 2;
  }
  const modes = chosenModes();
  await printMachine();
  const first = Math.min(100_000, Math.floor(values.first));
  const count = Math.min(100_000, Math.floor(values.prompts));
  const prompts = proofPrompts(first + count, fullSizes).slice(first);
  const outcomes = await runProof({
    house: { model: values.model, kvType, ctx: values.ctx, kvHost: values["kv-host"] },
    ...{ prompts, modes, groupSize: 30, diskSize: values["kv-disk"], onAnswer: progress },
  });
  for (const line of proofReport(outcomes, prompts)) console.log(line);
  return outcomes.length === modes.length + 1 && outcomes.every(isProved) ? 0 : 1;
}

Deno.exit(await main());
