import type { ConfigSchema } from "@pixii/runtime";

/** A command line in two parts. */
export interface OptionWords {
  /** What stands on its own: commands and names. */
  readonly words: readonly string[];
  /** Options with their values. */
  readonly named: readonly string[];
}

/** Parts words from options; the word behind an option that takes a value is that value. */
export function optionWords(schema: ConfigSchema, args: readonly string[]): OptionWords {
  const words: string[] = [];
  const named: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (!arg.startsWith("-")) {
      words.push(arg);
      continue;
    }
    named.push(arg);
    const known = Object.entries(schema).find(([path]) => arg === `--${path}`);
    const takesValue = known !== undefined && known[1].kind !== "flag";
    if (takesValue && i + 1 < args.length) named.push(args[++i]);
  }
  return { words, named };
}
