import type { Option } from "./config.ts";
import { formatBytes, formatDuration, parseBytes, parseDuration } from "./quantity.ts";
import { closestWord } from "./spelling.ts";

/** What every builder takes. `fallback` is the default; `undefined` where absence means something. */
export interface OptionBase<Fallback> {
  readonly fallback: Fallback;
  /** What it does, with its edge values. */
  readonly help: string;
  /** Shown in `--help` after the flag. */
  readonly placeholder?: string;
  /** Never printed with its value. */
  readonly secret?: boolean;
  /** Must be given by some source; `fallback` is then never used. */
  readonly required?: boolean;
}

/** Inclusive bounds in the option's own unit (count, bytes, milliseconds). */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

type Parsed<Value> = { readonly value: Value } | { readonly problem: string };

interface Built<Value> {
  readonly kind: Option<Value>["kind"];
  readonly placeholder: string;
  readonly json: Readonly<Record<string, unknown>>;
  /** Undefined where `text` breaks `rule`. */
  one(text: string): Value | undefined;
  /** "must be ..." */
  readonly rule: string;
  show?(value: Value): string;
  hint?(text: string): string;
}

function build<Value, Fallback>(
  base: OptionBase<Fallback>,
  built: Built<Value>,
): Option<Value | Fallback> {
  return {
    kind: built.kind,
    fallback: base.fallback,
    help: base.help,
    placeholder: base.placeholder ?? built.placeholder,
    secret: base.secret,
    required: base.required,
    json: built.json,
    show: (value) => {
      if (value === undefined || value === "") return "";
      return built.show ? built.show(value as Value) : String(value);
    },
    parse: (texts): Parsed<Value | Fallback> => {
      const text = texts[texts.length - 1] ?? "";
      const value = built.one(text);
      if (value !== undefined) return { value };
      const seen = base.secret ? "another (not shown: it is a secret)" : JSON.stringify(text);
      const hint = base.secret ? "" : built.hint?.(text) ?? "";
      return { problem: `${built.rule}, got ${seen}${hint}` };
    },
  };
}

function rangeText(range: Range, show: (value: number) => string): string {
  const { min, max } = range;
  if (min !== undefined && max !== undefined) return ` from ${show(min)} to ${show(max)}`;
  if (min !== undefined) return ` of at least ${show(min)}`;
  return max === undefined ? "" : ` of at most ${show(max)}`;
}

function within(range: Range, value: number | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (range.min !== undefined && value < range.min) return undefined;
  return range.max !== undefined && value > range.max ? undefined : value;
}

function bounds(range: Range): Readonly<Record<string, unknown>> {
  return {
    ...(range.min === undefined ? {} : { minimum: range.min }),
    ...(range.max === undefined || range.max === Infinity ? {} : { maximum: range.max }),
  };
}

/** Any text, or one that matches `pattern` (whole text; `rule` then says "must be ..."). */
function text<Fallback extends string | undefined>(
  rules: OptionBase<Fallback> & { readonly pattern?: RegExp; readonly rule?: string },
): Option<string | Fallback> {
  const { pattern } = rules;
  return build(rules, {
    kind: "text",
    placeholder: "TEXT",
    json: { type: "string", ...(pattern ? { pattern: pattern.source } : {}) },
    one: (value: string) => pattern === undefined || pattern.test(value) ? value : undefined,
    rule: rules.rule ?? `must match ${pattern}`,
  });
}

/** A whole number within a range. */
function integer<Fallback extends number | undefined>(
  rules: OptionBase<Fallback> & Range,
): Option<number | Fallback> {
  return build(rules, {
    kind: "integer",
    placeholder: "N",
    json: { type: "integer", ...bounds(rules) },
    one: (value: string) => {
      const number = /^[+-]?\d+$/.test(value.trim()) ? Number(value) : NaN;
      return Number.isSafeInteger(number) ? within(rules, number) : undefined;
    },
    rule: `must be a whole number${rangeText(rules, String)}`,
  });
}

/** A number within a range; `inf` only where `infinite` is set. */
function number<Fallback extends number | undefined>(
  rules: OptionBase<Fallback> & Range & { readonly infinite?: boolean },
): Option<number | Fallback> {
  return build(rules, {
    kind: "number",
    placeholder: "X",
    json: { type: "number", ...bounds(rules) },
    one: (value: string) => {
      const trimmed = value.trim();
      if (rules.infinite && trimmed === "inf") return Infinity;
      const plain = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed) ? Number(trimmed) : NaN;
      return Number.isFinite(plain) ? within(rules, plain) : undefined;
    },
    rule: `must be a number${rangeText(rules, String)}${rules.infinite ? " or inf" : ""}`,
    show: (value: number) => value === Infinity ? "inf" : String(value),
  });
}

const flagTexts: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  "1": true,
  false: false,
  no: false,
  off: false,
  "0": false,
};

/** On or off: `--x`, `--no-x`, `--x=false`. */
function flag(rules: OptionBase<boolean>): Option<boolean> {
  return build(rules, {
    kind: "flag",
    placeholder: "",
    json: { type: "boolean" },
    one: (value: string) => flagTexts[value.trim().toLowerCase()],
    rule: "must be true or false",
  });
}

/** One of a closed list. */
function choice<
  const Choice extends string,
  const Fallback extends NoInfer<Choice> | undefined,
>(
  choices: readonly Choice[],
  rules: OptionBase<Fallback>,
): Option<Choice | Fallback> {
  return build(rules, {
    kind: "choice",
    placeholder: choices.join("|"),
    json: { enum: choices },
    one: (value: string) => choices.find((known) => known === value.trim()),
    rule: `must be one of ${choices.join(", ")}`,
    hint: (value) => {
      const close = closestWord(value, choices);
      return close === undefined ? "" : `; did you mean ${close}?`;
    },
  });
}

/** A size: `512MiB`, `1GB`, `4096`. The value is in bytes. */
function bytes<Fallback extends number | undefined>(
  rules: OptionBase<Fallback> & Range,
): Option<number | Fallback> {
  return build(rules, {
    kind: "bytes",
    placeholder: "SIZE",
    json: { type: ["string", "integer"] },
    one: (value: string) => within(rules, parseBytes(value)),
    rule: `must be a size${rangeText(rules, formatBytes)}, like 512MiB`,
    show: formatBytes,
  });
}

/** A duration with its unit: `250ms`, `2s`, `5m`. The value is in milliseconds. */
function duration<Fallback extends number | undefined>(
  rules: OptionBase<Fallback> & Range,
): Option<number | Fallback> {
  return build(rules, {
    kind: "duration",
    placeholder: "TIME",
    json: { type: "string" },
    one: (value: string) => within(rules, parseDuration(value)),
    rule: `must be a duration${rangeText(rules, formatDuration)} with its unit, like 250ms or 2s`,
    show: formatDuration,
  });
}

/** A repeatable flag. In the environment items are parted by `separator` (default `,`). */
function list<Item = string>(
  rules: OptionBase<readonly Item[]> & {
    /** How each item is read; any text if left out. */
    readonly item?: Option<Item>;
    readonly separator?: string;
    /** Most items, default 64. */
    readonly max?: number;
  },
): Option<readonly Item[]> {
  const { item, max = 64 } = rules;
  return {
    kind: "list",
    fallback: rules.fallback,
    help: rules.help,
    placeholder: rules.placeholder ?? item?.placeholder ?? "TEXT",
    secret: rules.secret ?? item?.secret,
    required: rules.required,
    separator: rules.separator ?? ",",
    json: { type: "array", items: item?.json ?? { type: "string" }, maxItems: max },
    show: (values) => values.map((value) => item?.show?.(value) ?? String(value)).join(", "),
    parse: (texts) => {
      if (texts.length > max) {
        return { problem: `may be given at most ${max} times, got ${texts.length}` };
      }
      const values: Item[] = [];
      for (const one of texts) {
        const parsed = item?.parse([one]) ?? { value: one as Item };
        if ("problem" in parsed) return parsed;
        values.push(parsed.value);
      }
      return { value: Object.freeze(values) };
    },
  };
}

/** Builders of a config schema: `{ "kv.temperature": option.number({ fallback: 0, min: 0, max: 10, help: "…" }) }`. */
export const option = { text, integer, number, flag, choice, bytes, duration, list } as const;
