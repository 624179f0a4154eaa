import {
  configureLog,
  keepHeap,
  openLog,
  parseLogFilter,
  renderHelp,
  standardError,
  StartError,
  systemChance,
  systemClock,
  v8Heap,
  wantsHelp,
} from "@pixii/runtime";
import { devSchema, parseDev } from "./dev_config.ts";
import { launch } from "./launch.ts";
import { textProgress } from "./models/progress.ts";

import { StopSignals } from "./stop_signals.ts";

/** `deno task dev`: a local cluster. Exit codes: 0 ended by a signal, 1 failed, 2 bad usage, 3 a server or model is missing. */
async function main(): Promise<number> {
  if (wantsHelp(Deno.args)) {
    console.log(
      renderHelp(devSchema, "deno task dev", "starts a local cluster that serves models"),
    );
    return 0;
  }
  const env = Deno.env.toObject();
  const parsed = parseDev(Deno.args, env);
  if ("problems" in parsed) {
    for (const problem of parsed.problems) console.error(problem);
    return 2;
  }
  const { plan } = parsed;
  const filter = parseLogFilter(plan.config.log || "warn");
  configureLog("rules" in filter ? filter.rules : [], standardError());
  const clock = systemClock();
  const encoder = new TextEncoder();
  const write = (text: string) => void Deno.stderr.writeSync(encoder.encode(text));
  const log = openLog(["cluster"]);
  using stop = new StopSignals();
  using _heap = keepHeap({ clock, log, heap: v8Heap() });
  try {
    return await launch(plan, {
      env,
      clock,
      chance: systemChance(),
      log,
      progress: textProgress({ write, bar: Deno.stderr.isTerminal(), nowMs: () => clock.nowMs() }),
      stop,
      say: (line) => console.log(line),
      line: (text) => write(`${text}\n`),
      temporaryFolder: env.TMPDIR || "/tmp",
    });
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    console.error(error.message);
    return error.exitCode;
  }
}

if (import.meta.main) Deno.exit(await main());
