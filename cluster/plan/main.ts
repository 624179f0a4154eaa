import { configureLog, openLog, standardError, systemChance, systemClock } from "@pixii/runtime";
import { runPlan } from "./plan_command.ts";

if (import.meta.main) {
  configureLog([], standardError());
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort());
  const code = await runPlan(Deno.args, {
    env: Deno.env.toObject(),
    clock: systemClock(),
    chance: systemChance(),
    log: openLog(["plan"]),
    signal: stop.signal,
    say: (line) => console.log(line),
    warn: (line) => console.error(line),
  });
  Deno.exit(code);
}
