import { systemClock } from "@pixii/runtime";
import { runModels } from "./command.ts";
import { textProgress } from "./progress.ts";

if (import.meta.main) {
  const clock = systemClock();
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort());
  Deno.addSignalListener("SIGTERM", () => stop.abort());
  const encoder = new TextEncoder();
  const code = await runModels(Deno.args, {
    env: Deno.env.toObject(),
    clock,
    progress: textProgress({
      write: (text) => void Deno.stderr.writeSync(encoder.encode(text)),
      bar: Deno.stderr.isTerminal(),
      nowMs: () => clock.nowMs(),
    }),
    say: (line) => console.log(line),
    warn: (line) => console.error(line),
    signal: stop.signal,
  });
  Deno.exit(code);
}
