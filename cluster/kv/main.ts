import { configureLog, openLog, standardError, systemClock } from "@pixii/runtime";
import { runKv } from "./kv_command.ts";

if (import.meta.main) {
  configureLog([], standardError());
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort());
  const code = await runKv(Deno.args, {
    env: Deno.env.toObject(),
    clock: systemClock(),
    log: openLog(["kv"]),
    signal: stop.signal,
    say: (line) => console.log(line),
    warn: (line) => console.error(line),
  });
  Deno.exit(code);
}
