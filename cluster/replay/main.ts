import { parseConfig, renderHelp, systemClock, wantsHelp } from "@pixii/runtime";
import { runPlan } from "./core/replay_plan.ts";
import { planOf } from "./replay.ts";
import { replaySchema } from "./replay_config.ts";
import { reportJson } from "./report_json.ts";
import { reportPlots } from "./report_plots.ts";
import { reportTable } from "./report_table.ts";

/** `deno task replay`: a trace through the router's core. Exit codes: 0, 1 a file could not be used, 2 bad usage. */
async function main(): Promise<number> {
  if (wantsHelp(Deno.args)) {
    const about = "replays a trace through the router in virtual time, policy by policy";
    console.log(renderHelp(replaySchema, "deno task replay", about));
    return 0;
  }
  const parsed = parseConfig(replaySchema, { args: Deno.args, env: {} });
  if ("problems" in parsed) {
    for (const problem of parsed.problems) console.error(problem);
    return 2;
  }
  const { config } = parsed;
  const plan = await planOf(config, {
    // Why a file cannot be read is no matter: the sentence names it.
    read: (path) => Deno.readTextFile(path).catch(() => undefined),
  });
  if (!plan.ok) {
    console.error(plan.error.message);
    return 2;
  }
  const clock = systemClock();
  const beginMs = clock.nowMs();
  const report = runPlan(plan.value);
  const perSecond = report.replayed / Math.max(0.001, (clock.nowMs() - beginMs) / 1000);
  if (config.json) { for (const line of reportJson(report, perSecond)) console.log(line); }
  else {
    console.log(reportTable(report));
    // Not on stdout: there the same seed gives the same bytes.
    console.error(`${report.replayed} requests replayed, ${perSecond.toFixed(0)} a second`);
  }
  if (config.svg !== "") {
    await Deno.mkdir(config.svg, { recursive: true });
    for (const [name, text] of reportPlots(report)) {
      await Deno.writeTextFile(`${config.svg}/${name}`, text);
    }
    console.error(`plots are in ${config.svg}`);
  }
  return 0;
}

if (import.meta.main) Deno.exit(await main());
