/**
 * `deno task bench:start`: from starting the launcher to its ready file, in both topologies, interleaved.
 * Flags: --json, --rounds N, --model NAME.
 */
import { chat } from "./chat_client.ts";
import { startDev } from "./child.ts";
import { median, printFigure, printMachine } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";

const values = benchFlags({
  task: "bench:start",
  summary: "From starting the launcher to its ready file, in both topologies.",
  specs: {
    json: jsonFlag,
    rounds: { kind: "number", help: "Starts of each.", fallback: 5 },
    model: { kind: "text", help: "Model under test.", fallback: "smollm2" },
  },
});

const topologies = ["one", "processes"] as const;

async function readySeconds(topology: string): Promise<number> {
  await using dev = await startDev(["--topology", topology, "--model", values.model]);
  const body = { model: values.model, messages: [{ role: "user", content: "Hi" }], max_tokens: 4 };
  const timing = await chat(dev.url, body);
  if (timing.outputTokens < 1) throw new Error("ready, but the first request gave no token");
  return dev.readyMs / 1000;
}

await printMachine();
const seconds: Record<string, number[]> = { one: [], processes: [] };
for (let round = 0; round < values.rounds; round++) {
  for (const topology of topologies) seconds[topology].push(await readySeconds(topology));
}
for (const topology of topologies) {
  printFigure({
    figure: `dev.ready.${topology}`,
    value: median(seconds[topology]),
    unit: "s",
    better: "lower",
    runs: seconds[topology],
  }, values.json);
}
