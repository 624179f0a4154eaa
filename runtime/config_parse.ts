import type { ConfigOf, ConfigProblems, ConfigSchema, ConfigSources } from "./config.ts";
import { checkSchema, envOf, envPrefix, flagOf, otherVariables } from "./config_names.ts";
import { closestWord } from "./spelling.ts";

/** Deepest nesting of a config file. */
const fileDepth = 16;

/** Texts by option path, as one source has them. */
type Texts = Map<string, readonly string[]>;

/**
 * The frozen config of a schema: flag > environment > file > default. Every problem is reported at once; only the
 * source that wins is judged. `--help` is passed over here.
 */
export function parseConfig<Schema extends ConfigSchema>(
  schema: Schema,
  sources: ConfigSources,
): { readonly config: ConfigOf<Schema> } | ConfigProblems {
  checkSchema(schema);
  const problems: string[] = [];
  const ranked: readonly (readonly [(path: string) => string, Texts])[] = [
    [flagOf, readArgs(schema, sources.args, problems)],
    [envOf, readEnv(schema, sources.env, problems)],
    [(path) => `${path} of the config file`, readFile(schema, sources.file, problems)],
  ];
  const config: Record<string, unknown> = {};
  for (const [path, option] of Object.entries(schema)) {
    config[path] = option.fallback;
    const source = ranked.find(([, texts]) => texts.has(path));
    if (source === undefined) {
      if (option.required) {
        problems.push(`Missing ${flagOf(path)} ${option.placeholder}: ${option.help}`);
      }
      continue;
    }
    const parsed = option.parse(source[1].get(path)!);
    if ("problem" in parsed) problems.push(`Cannot use ${source[0](path)}: ${parsed.problem}`);
    else config[path] = parsed.value;
  }
  if (problems.length > 0) return { problems };
  return { config: Object.freeze(config) as ConfigOf<Schema> };
}

/** True where the arguments ask for help. */
export function wantsHelp(args: readonly string[]): boolean {
  return args.includes("--help") || args.includes("-h");
}

/** Where the config file is, by `--config` or `PIXII_CONFIG`; undefined for none. */
export function configPath(
  schema: ConfigSchema,
  sources: Pick<ConfigSources, "args" | "env">,
): string | undefined {
  const texts = readArgs(schema, sources.args, []).get("config");
  return (texts?.at(-1) ?? sources.env[envOf("config")]) || undefined;
}

function readArgs(schema: ConfigSchema, args: readonly string[], problems: string[]): Texts {
  const byFlag = new Map<string, { readonly path: string; readonly negated: boolean }>();
  for (const [path, option] of Object.entries(schema)) {
    byFlag.set(flagOf(path), { path, negated: false });
    if (option.kind === "flag") {
      byFlag.set("--no-" + flagOf(path).slice(2), { path, negated: true });
    }
  }
  const texts: Map<string, string[]> = new Map();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (arg === "--help" || arg === "-h") continue;
    if (!arg.startsWith("--")) {
      problems.push(
        `Cannot use argument ${JSON.stringify(arg)}: options begin with --; see --help`,
      );
      continue;
    }
    const equals = arg.indexOf("=");
    const name = equals < 0 ? arg : arg.slice(0, equals);
    const next = args[i + 1];
    const nextIsValue = equals < 0 && next !== undefined && !next.startsWith("--");
    const known = byFlag.get(name);
    if (known === undefined) {
      problems.push(`Unknown option ${name}${didYouMean(name, [...byFlag.keys()])}; see --help`);
      // What follows may be its value, and that may be a secret: never printed as an argument of its own.
      if (nextIsValue) i++;
      continue;
    }
    const { path, negated } = known;
    const put = (text: string) => texts.set(path, [...(texts.get(path) ?? []), text]);
    if (negated) {
      if (equals >= 0) {
        problems.push(`Cannot use ${name}: takes no value; write ${flagOf(path)}=false`);
      }
      put("false");
    } else if (equals >= 0) put(arg.slice(equals + 1));
    else if (schema[path].kind === "flag") put("true");
    else if (nextIsValue) {
      put(next);
      i++;
    } else {
      problems.push(`Cannot use ${name}: needs a value; write ${name}=${schema[path].placeholder}`);
    }
  }
  return texts;
}

function readEnv(
  schema: ConfigSchema,
  env: ConfigSources["env"],
  problems: string[],
): Texts {
  const texts: Texts = new Map();
  const known = new Map(Object.keys(schema).map((path) => [envOf(path), path]));
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith(envPrefix)) continue;
    const path = known.get(name);
    if (path !== undefined) {
      const { kind, separator = "," } = schema[path];
      const parts = kind === "list" ? splitList(text, separator) : [text];
      // An empty variable means "not set", as compose files write it; an empty text needs the flag.
      if (text !== "") texts.set(path, parts);
    } else if (!otherVariables.includes(name)) {
      // Other programs' variables share this environment: only what looks like a slip is a problem.
      const word = name.slice(envPrefix.length);
      const words = [...known.keys()].map((other) => other.slice(envPrefix.length));
      const close = closestWord(word, words, Math.min(2, Math.floor(word.length / 4)));
      if (close !== undefined) {
        problems.push(`Unknown variable ${name}; did you mean ${envPrefix}${close}?`);
      }
    }
  }
  return texts;
}

function splitList(text: string, separator: string): readonly string[] {
  return text.split(separator).map((part) => part.trim()).filter((part) => part !== "");
}

function readFile(schema: ConfigSchema, file: unknown, problems: string[]): Texts {
  const texts: Texts = new Map();
  if (file === undefined) return texts;
  if (typeof file !== "object" || file === null || Array.isArray(file)) {
    problems.push("Cannot use the config file: must hold one JSON object");
    return texts;
  }
  const walk = (value: object, prefix: string, depth: number) => {
    for (const [key, inner] of Object.entries(value)) {
      const path = prefix + key;
      if (Object.hasOwn(schema, path)) {
        const read = textsOf(inner, schema[path].kind === "list");
        if (read === undefined) {
          problems.push(
            `Cannot use ${path} of the config file: must be a text, a number, true or false` +
              `${schema[path].kind === "list" ? ", or a list of them" : ""}, got ${kindOf(inner)}`,
          );
        } else texts.set(path, read);
      } else if (kindOf(inner) === "object" && depth < fileDepth) {
        walk(inner as object, path + ".", depth + 1);
      } else {
        problems.push(
          `Unknown key ${path} of the config file${didYouMean(path, Object.keys(schema))}`,
        );
      }
    }
  };
  walk(file, "", 1);
  return texts;
}

function textsOf(value: unknown, isList: boolean): readonly string[] | undefined {
  if (isList && Array.isArray(value)) {
    const all = value.map((one) => textsOf(one, false)?.[0]);
    return all.every((one) => one !== undefined) ? all : undefined;
  }
  return ["string", "number", "boolean"].includes(typeof value) ? [String(value)] : undefined;
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "list" : typeof value;
}

function didYouMean(word: string, known: readonly string[]): string {
  const close = closestWord(word, known);
  return close === undefined ? "" : `; did you mean ${close}?`;
}
