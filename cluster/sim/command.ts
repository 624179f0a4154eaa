import { parseConfig, renderHelp, systemClock, wantsHelp } from "@pixii/runtime";
import { scheduleText } from "./core/fault.ts";
import type { Fault } from "./core/fault.ts";
import { minimise } from "./minimise.ts";
import { simSchema } from "./sim_config.ts";
import type { SimConfig } from "./sim_config.ts";
import { simPlanOf, simVocabulary } from "./sim_setup.ts";
import { runSim } from "./sim_run.ts";
import type { SimPlan, SimResult } from "./sim_run.ts";
import { simReport } from "./sim_report.ts";

/** Where a command says what. */
export interface CommandOutput {
  out(line: string): void;
  err(line: string): void;
}

/**
 * `deno task sim`: a whole cluster under one virtual clock, from one seed. Exit codes: 0, 1 a promise was broken or a
 * file cannot be written, 2 bad usage.
 */
export async function simCommand(args: readonly string[], output: CommandOutput): Promise<number> {
  if (wantsHelp(args)) {
    const about = "runs a whole cluster under one virtual clock, with faults, from one seed";
    output.out(renderHelp(simSchema, "deno task sim", about));
    return 0;
  }
  const parsed = parseConfig(simSchema, { args, env: {} });
  if ("problems" in parsed) {
    for (const problem of parsed.problems) output.err(problem);
    return 2;
  }
  const { config } = parsed;
  const plan = await simPlanOf(config, {
    vocabulary: await simVocabulary(),
    // Why a file cannot be read is no matter: the sentence names it.
    read: (path) => Deno.readTextFile(path).catch(() => undefined),
  });
  if (!plan.ok) {
    output.err(plan.error.message);
    return 2;
  }
  const clock = systemClock();
  const beginMs = clock.nowMs();
  const result = await runLogged(plan.value, config.log);
  const wallMs = clock.nowMs() - beginMs;
  const report = simReport(plan.value, result);
  if (config.json) { for (const line of report.json(wallMs)) output.out(line); }
  else for (const line of report.text) output.out(line);
  // Not on stdout: there the same seed gives the same bytes.
  output.err(report.speed(wallMs));
  if (result.violation === undefined) return 0;
  for (const line of result.recent) output.err(`  ${line}`);
  const left = await fewestFaults(plan.value, { config, output });
  output.out(`replay: ${replayCommand(args, left)}`);
  return 1;
}

async function runLogged(plan: SimPlan, path: string): Promise<SimResult> {
  if (path === "") return await runSim(plan);
  using file = await Deno.open(path, { create: true, truncate: true, write: true });
  const encoder = new TextEncoder();
  let lines: string[] = [];
  const flush = () => {
    let bytes = encoder.encode(lines.join(""));
    while (bytes.length > 0) bytes = bytes.subarray(file.writeSync(bytes));
    lines = [];
  };
  const result = await runSim({
    ...plan,
    write: (line) => {
      if (lines.push(line + "\n") >= 4096) flush();
    },
  });
  flush();
  return result;
}

/** The faults that are needed for a run to fail, as far as the runs allowed suffice. */
async function fewestFaults(
  plan: SimPlan,
  { config, output }: { readonly config: SimConfig; readonly output: CommandOutput },
): Promise<readonly Fault[]> {
  const { faults } = plan;
  if (faults.length === 0 || config.minimise === 0) return faults;
  output.err(`looking for fewer of the ${faults.length} faults ...`);
  const chosen = (parts: readonly number[]) => parts.map((part) => faults[part]);
  const left = await minimise(faults.length, {
    mostRuns: config.minimise,
    fails: async (parts) => {
      const { violation } = await runSim({ ...plan, faults: chosen(parts) });
      return violation !== undefined;
    },
  });
  output.err(`${left.length} faults are enough`);
  return chosen(left);
}

/** The command that shows the failure again: the same options, with exactly these faults. */
export function replayCommand(args: readonly string[], faults: readonly Fault[]): string {
  const kept: string[] = [];
  for (let at = 0; at < args.length; at++) {
    const name = args[at].split("=")[0];
    if (["--schedule", "--faults", "--fault-every", "--minimise"].includes(name)) {
      if (!args[at].includes("=")) at += 1;
    } else if (!["--json", "--log"].includes(name)) kept.push(args[at]);
    else if (name === "--log" && !args[at].includes("=")) at += 1;
  }
  const schedule = faults.length === 0 ? [] : [`--schedule '${scheduleText(faults)}'`];
  return ["deno task sim", ...kept.map(quoted), ...schedule].join(" ");
}

function quoted(word: string): string {
  return /^[\w./=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
