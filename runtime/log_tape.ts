import { configureSync, getLogger, type LogLevel, type LogRecord } from "@logtape/logtape";
import type { Log, LogFields } from "./log.ts";
import type { LogLevelName, LogRule } from "./log_filter.ts";

/** How log lines look and where they go. */
export interface LogOutput {
  /** `human` for a terminal, `json` for one JSON object per line. */
  readonly format: "human" | "json";
  /** Colours of the human format. */
  readonly colour: boolean;
  /** Takes one line with its line end. */
  write(line: string): void;
}

/** Standard error: human on a terminal (no colours where `NO_COLOR` is set), JSON lines otherwise. */
export function standardError(): LogOutput {
  const terminal = Deno.stderr.isTerminal();
  const encoder = new TextEncoder();
  return {
    format: terminal ? "human" : "json",
    colour: terminal && !Deno.noColor,
    write: (line) => writeAll(encoder.encode(line)),
  };
}

function writeAll(bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += Deno.stderr.writeSync(bytes.subarray(at));
}

const tapeLevels: Readonly<Record<LogLevelName, LogLevel | null>> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warn: "warning",
  error: "error",
  off: null,
};

/** Sets what this program logs and where, for all loggers of it; the last call wins. */
export function configureLog(rules: readonly LogRule[], output: LogOutput): void {
  const format = output.format === "json" ? jsonLine : humanLine(output.colour);
  configureSync({
    reset: true,
    sinks: { out: (record: LogRecord) => output.write(format(record)) },
    loggers: [
      { category: ["logtape", "meta"], sinks: ["out"], lowestLevel: "warning" },
      ...rules.map((rule) => ({
        category: [...rule.target],
        sinks: ["out" as const],
        parentSinks: "override" as const,
        lowestLevel: tapeLevels[rule.level],
      })),
    ],
  });
}

/** The logger of `target` (`["router", "index"]` is filtered as `router::index`). */
export function openLog(target: readonly [string, ...string[]]): Log {
  const logger = getLogger(target);
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (!logger.isEnabledFor(level)) return;
    // Braces are placeholders to LogTape; our messages are plain text.
    const text = message.replaceAll("{", "{{").replaceAll("}", "}}");
    const emit = level === "warning" ? "warn" : level;
    logger[emit as "info"](text, fields ?? {});
  };
  return {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warning"),
    error: at("error"),
    child: (name) => openLog([...target, name]),
  };
}

function levelName(level: LogLevel): string {
  return level === "warning" ? "warn" : level;
}

function textOf(record: LogRecord): string {
  return record.message.map(String).join("");
}

/** Errors say more than `{}` does in JSON. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.stack ?? value.message;
  return typeof value === "bigint" ? String(value) : value;
}

function jsonLine(record: LogRecord): string {
  const head = {
    ts: new Date(record.timestamp).toISOString(),
    level: levelName(record.level),
    target: record.category.join("::"),
    message: textOf(record),
  };
  try {
    return JSON.stringify({ ...record.properties, ...head }, plain) + "\n";
  } catch (error) {
    return JSON.stringify({ ...head, unprintable: String(error) }) + "\n";
  }
}

const colours: Readonly<Record<string, number>> = {
  trace: 90,
  debug: 36,
  info: 32,
  warn: 33,
  error: 31,
};

function humanLine(colour: boolean): (record: LogRecord) => string {
  const paint = (code: number, text: string) => colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  return (record) => {
    const level = levelName(record.level);
    const time = new Date(record.timestamp).toISOString().slice(11, 23);
    const fields = Object.entries(record.properties)
      .map(([name, value]) => ` ${paint(90, name + "=")}${fieldText(value)}`);
    const target = record.category.join("::");
    return `${paint(90, time)} ${paint(colours[level] ?? 0, level.toUpperCase().padEnd(5))} ` +
      `${paint(90, target)} ${oneLine(textOf(record))}${fields.join("")}\n`;
  };
}

function fieldText(value: unknown): string {
  if (value instanceof Error) return oneLine(value.stack ?? value.message);
  if (typeof value === "string") {
    return /^[\w./:@%+-]+$/.test(value) ? value : JSON.stringify(value);
  }
  try {
    return JSON.stringify(value, plain) ?? String(value);
  } catch (error) {
    return `(unprintable: ${error})`;
  }
}

function oneLine(text: string): string {
  return text.replaceAll("\r", "\\r").replaceAll("\n", "\\n");
}
