import type { ConfigSchema } from "./config.ts";

/** Begins every environment variable of Pixii. */
export const envPrefix = "PIXII_";

/** Variables that are no option of any program: caches, tests, and how a launcher talks to its children. */
export const otherVariables: readonly string[] = [
  "PIXII_CACHE",
  "PIXII_HOST",
  "PIXII_PARENT",
  "PIXII_TEST_MODEL",
];

/** The flag of a path: `kv.temperature` -> `--kv-temperature`. */
export function flagOf(path: string): string {
  return "--" + path.replaceAll(".", "-");
}

/** The environment variable of a path: `kv.temperature` -> `PIXII_KV_TEMPERATURE`. */
export function envOf(path: string): string {
  return envPrefix + path.replaceAll(/[.-]/g, "_").toUpperCase();
}

/** Throws where a schema has a malformed path or two paths with one flag: a bug of the program, not of its user. */
export function checkSchema(schema: ConfigSchema): void {
  const seen = new Map<string, string>([["--help", "help"]]);
  for (const [path, option] of Object.entries(schema)) {
    if (!/^[a-z][a-z0-9]*([.-][a-z0-9]+)*$/.test(path)) {
      throw new Error(
        `Cannot use option path: must be words of a-z0-9 parted by . or -, got ${path}`,
      );
    }
    const flags = option.kind === "flag"
      ? [flagOf(path), "--no-" + flagOf(path).slice(2)]
      : [flagOf(path)];
    for (const flag of flags) {
      const other = seen.get(flag);
      if (other !== undefined) throw new Error(`Cannot use option ${path}: ${flag} is ${other}`);
      seen.set(flag, path);
    }
  }
}
