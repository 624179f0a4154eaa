import type { ConfigSchema, Option } from "./config.ts";
import { envOf, flagOf } from "./config_names.ts";

/** Columns of `--help`. */
const helpColumns = 100;
/** Column where the texts of `--help` begin. */
const textColumn = 32;

/** The text of `--help`. `name` is how the program is called (`deno task router`). */
export function renderHelp(schema: ConfigSchema, name: string, summary: string): string {
  const lines = [`${name}: ${summary}`, "", `Usage: ${name} [options]`, "", "Options:"];
  for (const [path, option] of Object.entries(schema)) {
    const head = `  ${usageOf(path, option)}`;
    const text = wrap(`${option.help}${noteOf(option)}`, helpColumns - textColumn);
    const first = head.length < textColumn - 1 ? head.padEnd(textColumn) + text.shift() : head;
    lines.push(first, ...text.map((line) => " ".repeat(textColumn) + line));
  }
  lines.push(`${"  --help, -h".padEnd(textColumn)}Shows this text.`, "");
  lines.push(
    "Each option has three spellings: --kv-temperature 0.5, PIXII_KV_TEMPERATURE=0.5 and, in the file",
    'that --config names, {"kv":{"temperature":0.5}}. A flag beats a variable beats the file.',
  );
  return lines.join("\n");
}

/** JSON Schema of a program's config file. */
export function schemaJson(schema: ConfigSchema): Record<string, unknown> {
  const root = objectSchema();
  for (const [path, option] of Object.entries(schema)) {
    const words = path.split(".");
    let at = root;
    for (const word of words.slice(0, -1)) {
      at = (at.properties[word] ??= objectSchema()) as ObjectSchema;
    }
    const fallback = option.secret ? "" : showDefault(option);
    at.properties[words[words.length - 1]] = {
      description: option.help,
      ...option.json,
      ...(fallback === "" ? {} : { default: option.kind === "list" ? option.fallback : fallback }),
    };
  }
  return { $schema: "https://json-schema.org/draft/2020-12/schema", ...root };
}

interface ObjectSchema {
  readonly type: "object";
  readonly additionalProperties: false;
  readonly properties: Record<string, unknown>;
}

function objectSchema(): ObjectSchema {
  return { type: "object", additionalProperties: false, properties: {} };
}

/** A Markdown table of the options, for docs. */
export function schemaTable(schema: ConfigSchema): string {
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const rows = Object.entries(schema).map(([path, option]) => {
    const fallback = option.secret ? "" : showDefault(option);
    const shown = fallback === "" ? "" : `\`${fallback}\``;
    return `| \`${cell(usageOf(path, option))}\` | \`${envOf(path)}\` | ${cell(shown)} | ${
      cell(option.help)
    } |`;
  });
  return ["| flag | variable | default | meaning |", "| --- | --- | --- | --- |", ...rows].join(
    "\n",
  );
}

function usageOf(path: string, option: Option<unknown>): string {
  if (option.kind === "flag") return `${flagOf(path)}, --no-${flagOf(path).slice(2)}`;
  return `${flagOf(path)} ${option.placeholder}`;
}

function showDefault(option: Option<unknown>): string {
  return option.show?.(option.fallback) ?? String(option.fallback ?? "");
}

function noteOf(option: Option<unknown>): string {
  const fallback = option.secret ? "" : showDefault(option);
  const notes = [
    ...(option.required ? ["required"] : []),
    ...(option.kind === "list" ? ["repeatable"] : []),
    ...(fallback === "" ? [] : [`default ${fallback}`]),
  ];
  return notes.length === 0 ? "" : ` [${notes.join("; ")}]`;
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
