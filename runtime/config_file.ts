import type { ConfigOf, ConfigProblems, ConfigSchema } from "./config.ts";
import { configPath, parseConfig } from "./config_parse.ts";

/** Largest config file. */
const fileBytes = 1024 * 1024;

/** The config of this program from its arguments, its environment and the file that `--config` names. */
export async function readConfig<Schema extends ConfigSchema>(
  schema: Schema,
  args: readonly string[] = Deno.args,
  env: Readonly<Record<string, string | undefined>> = Deno.env.toObject(),
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
