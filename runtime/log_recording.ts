import type { Log, LogFields } from "./log.ts";

/** One line as a recording log keeps it. */
export interface LoggedLine {
  readonly level: "trace" | "debug" | "info" | "warn" | "error";
  readonly target: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** A log that keeps its lines (all levels) and prints nothing, for tests and the simulator. */
export function recordingLog(
  target = "test",
  lines: LoggedLine[] = [],
): Log & { readonly lines: readonly LoggedLine[] } {
  const at = (level: LoggedLine["level"]) => (message: string, fields: LogFields = {}) => {
    lines.push({ level, target, message, fields });
  };
  return {
    lines,
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (name) => recordingLog(`${target}::${name}`, lines),
  };
}
