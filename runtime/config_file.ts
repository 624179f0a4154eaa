import type { ConfigOf, ConfigProblems, ConfigSchema } from "./config.ts";
import { envOf } from "./config_names.ts";
import { configPath, parseConfig } from "./config_parse.ts";

/** Largest config file. */
const fileBytes = 1024 * 1024;

/** The config of this program from its arguments, its environment and the file that `--config` names. */
export async function readConfig<Schema extends ConfigSchema>(
  schema: Schema,
  args: readonly string[] = Deno.args,
  env: Readonly<Record<string, string | undefined>> = environmentOf(schema),
): Promise<{ readonly config: ConfigOf<Schema> } | ConfigProblems> {
  const path = configPath(schema, { args, env });
  if (path === undefined) return parseConfig(schema, { args, env });
  const file = await readJson(path);
  if ("value" in file) return parseConfig(schema, { args, env, file: file.value });
  const rest = parseConfig(schema, { args, env });
  return { problems: [file.problem, ...("problems" in rest ? rest.problems : [])] };
}

async function readJson(
  path: string,
): Promise<{ readonly value: unknown } | { readonly problem: string }> {
  const name = `Cannot use config file ${path}`;
  try {
    const { size } = await Deno.stat(path);
    if (size > fileBytes) {
      return { problem: `${name}: must be at most ${fileBytes} bytes, got ${size}` };
    }
    return { value: JSON.parse(await Deno.readTextFile(path)) };
  } catch (error) {
    if (error instanceof SyntaxError) return { problem: `${name}: must be JSON: ${error.message}` };
    const reason = error instanceof Error ? error.message : String(error);
    return { problem: `${name}: must be a readable file: ${reason}` };
  }
}

/** The environment, or only the schema's variables where the program may not read others (`--allow-env=PIXII_*`). */
function environmentOf(schema: ConfigSchema): Readonly<Record<string, string | undefined>> {
  try {
    return Deno.env.toObject();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    const names = Object.keys(schema).map(envOf);
    return Object.fromEntries(names.map((name) => [name, Deno.env.get(name)]));
  }
}
