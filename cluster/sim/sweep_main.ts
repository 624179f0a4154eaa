import { parseConfig, renderHelp, systemClock, wantsHelp } from "@pixii/runtime";
import { simVocabulary } from "./sim_setup.ts";
import { joinSums, sweep } from "./sweep.ts";
import type { SweepFailure, SweepSums } from "./sweep.ts";
import { sweepSchema } from "./sweep_config.ts";
import type { SweepConfig } from "./sweep_config.ts";

/** A line of a job that holds its sums; the others are for people. */
const sumsMark = "sums ";

/** `deno task sim:sweep`. Exit codes: 0, 1 a seed failed, 2 bad usage. */
async function main(): Promise<number> {
  if (wantsHelp(Deno.args)) {
    const about = "many small clusters with faults, each from another seed";
    console.log(renderHelp(sweepSchema, "deno task sim:sweep", about));
    return 0;
  }
  const parsed = parseConfig(sweepSchema, { args: Deno.args, env: {} });
  if ("problems" in parsed) {
    for (const problem of parsed.problems) console.error(problem);
    return 2;
  }
  const { config } = parsed;
  if (config.part !== "") {
    console.log(sumsMark + JSON.stringify(await runPart(config)));
    return 0;
  }
  const clock = systemClock();
  const beginMs = clock.nowMs();
  const jobs = Math.min(config.jobs, config.seeds);
  const sums = joinSums(await Promise.all(Array.from({ length: jobs }, (_, i) => runJob(i, jobs))));
  report(config, sums, (clock.nowMs() - beginMs) / 1000);
  return sums.failures.length > 0 ? 1 : 0;
}

async function runPart(config: SweepConfig): Promise<SweepSums> {
  const [index, jobs] = config.part.split("/").map(Number);
  const { seeds, from, minutes, "stop-after": stopAfter } = config;
  return await sweep({
    ...{ from: from + index, stride: jobs, seeds: Math.ceil((seeds - index) / jobs) },
    ...{ minutes, stopAfter, vocabulary: await simVocabulary() },
  }, (failure) => console.error(textOf(failure)));
}

function textOf({ seed, broken, atMs, command }: SweepFailure): string {
  return `seed ${seed} at ${(atMs / 1000).toFixed(3)} s: ${broken}\n  ${command}`;
}

/** A part of the sweep in a process of its own: an event loop uses one core. */
async function runJob(index: number, jobs: number): Promise<SweepSums> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", new URL(import.meta.url).pathname],
      ...[...Deno.args, `--part=${index}/${jobs}`],
    ],
    stderr: "inherit",
  }).output();
  const line = new TextDecoder().decode(stdout).split("\n")
    .find((one) => one.startsWith(sumsMark));
  if (line === undefined) throw new Error(`a job of the sweep ended with ${code} and no sums`);
  return JSON.parse(line.slice(sumsMark.length));
}

function report({ json, minutes }: SweepConfig, sums: SweepSums, seconds: number): void {
  const { failures, seeds, ends, ...counts } = sums;
  if (json) {
    for (const failure of failures) console.log(JSON.stringify(failure));
    console.log(JSON.stringify({ seeds, minutes, failed: failures.length, ends, ...counts }));
    const figure = { figure: "sim.sweep_seconds", unit: "s", better: "lower" };
    console.log(JSON.stringify({ ...figure, value: Number(seconds.toPrecision(4)) }));
    return;
  }
  const { requests, migrated, faults, messages, tierHits } = counts;
  console.log(
    `${seeds} seeds x ${minutes} virtual minutes in ${seconds.toFixed(1)} s: ${faults} faults, ` +
      `${requests} requests (${migrated} with more than one attempt), ${messages} messages, ` +
      `${tierHits} blocks from host tiers`,
  );
  const endings = Object.entries(ends).map(([end, count]) => `${end} ${count}`).sort();
  console.log(`ends: ${endings.join(", ")}`);
  console.log(failures.length === 0 ? "every promise was kept" : `${failures.length} seeds failed`);
}

if (import.meta.main) Deno.exit(await main());
