/** One option's rules. Made by `option.*`; the dotted key in the schema is its path. */
export interface Option<Value> {
  readonly kind: "text" | "integer" | "number" | "flag" | "choice" | "bytes" | "duration" | "list";
  readonly fallback: Value;
  /** What it does, with its edge values, for `--help` and docs. */
  readonly help: string;
  /** Shown in `--help`: `URL`, `N`, `PATH`. */
  readonly placeholder: string;
  /** Parses one text (or the texts of a repeated list flag); an error text says the rule and the value seen. */
  parse(texts: readonly string[]): { readonly value: Value } | { readonly problem: string };
  /** Never printed with its value. */
  readonly secret?: boolean;
  /** Must be given by some source. */
  readonly required?: boolean;
  /** Parts the items of a list in one environment variable. */
  readonly separator?: string;
  /** JSON Schema keywords of the value in a config file. */
  readonly json?: Readonly<Record<string, unknown>>;
  /** The value as one would write it, for `--help`; empty text for "none". */
  show?(value: Value): string;
}

/**
 * Options by path. `kv.temperature` is `--kv-temperature`, `PIXII_KV_TEMPERATURE` and `{"kv":{"temperature":…}}` in a
 * config file; flag > env > file > default.
 */
export type ConfigSchema = Readonly<Record<string, Option<any>>>;

/** The typed, frozen config of a schema, keyed by path. */
export type ConfigOf<Schema extends ConfigSchema> = {
  readonly [Path in keyof Schema]: Schema[Path] extends Option<infer Value> ? Value : never;
};

/** Where texts come from. `file` is the parsed JSON of `--config`, if any. */
export interface ConfigSources {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file?: unknown;
}

/** All problems of a start, each one sentence with what to do ("did you mean --port?"). */
export interface ConfigProblems {
  readonly problems: readonly string[];
}
