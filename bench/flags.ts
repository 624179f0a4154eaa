import { parseArgs } from "node:util";

/** One option of a benchmark. */
export type FlagSpec =
  | { readonly kind: "switch"; readonly help: string }
  | { readonly kind: "text"; readonly help: string; readonly fallback?: string }
  | {
    readonly kind: "number";
    readonly help: string;
    readonly fallback: number;
    /** Smallest value, 1 if left out. */
    readonly min?: number;
  };

type Value<Spec> = Spec extends { kind: "switch" } ? boolean
  : Spec extends { kind: "number" } ? number
  : Spec extends { fallback: string } ? string
  : string | undefined;

/** The values of options. */
export type FlagValues<Specs> = { readonly [Name in keyof Specs]: Value<Specs[Name]> };

/** What reading a command line comes to. */
export type FlagResult<Specs> =
  | { readonly kind: "run"; readonly values: FlagValues<Specs> }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "wrong"; readonly text: string };

/** Reads a benchmark's command line. Pure. */
export function readFlags<const Specs extends Readonly<Record<string, FlagSpec>>>(
  args: readonly string[],
  about: { readonly task: string; readonly summary: string; readonly specs: Specs },
): FlagResult<Specs> {
  const { task, summary, specs } = about;
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { kind }]) =>
      [name, { type: kind === "switch" ? "boolean" : "string" }] as const
    ),
  );
  if (args.includes("--help") || args.includes("-h")) {
    return { kind: "help", text: helpOf(task, summary, specs) };
  }
  let given: Readonly<Record<string, unknown>>;
  try {
    given = parseArgs({ args: [...args], options }).values;
  } catch (error) {
    const reason = (error as Error).message.split(". ")[0];
    return { kind: "wrong", text: `${reason}; deno task ${task} --help lists all` };
  }
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(specs)) {
    if (spec.kind === "switch") values[name] = given[name] === true;
    else if (spec.kind === "text") values[name] = given[name] ?? spec.fallback;
    else {
      const { fallback, min = 1 } = spec;
      const value = given[name] === undefined ? fallback : Number(given[name]);
      if (!(value >= min) || value === Infinity) {
        return {
          kind: "wrong",
          text: `--${name} takes a number from ${min} on, got ${given[name]}`,
        };
      }
      values[name] = value;
    }
  }
  return { kind: "run", values: values as FlagValues<Specs> };
}

function helpOf(task: string, summary: string, specs: Readonly<Record<string, FlagSpec>>): string {
  const rows = Object.entries(specs).map(([name, spec]): [string, string] => {
    const value = spec.kind === "switch" ? "" : spec.kind === "number" ? " N" : " TEXT";
    const fallback = spec.kind === "switch" || spec.fallback === undefined || spec.fallback === ""
      ? ""
      : ` (default ${spec.fallback})`;
    return [`--${name}${value}`, spec.help + fallback];
  });
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  const lines = rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`);
  return [summary, "", `Usage: deno task ${task} [options]`, "", ...lines].join("\n");
}

/** The option that every benchmark has. */
export const jsonFlag = {
  kind: "switch",
  help: "Prints every figure as one line of JSON.",
} as const;

/** Reads this program's command line; prints help and ends with 0, or says what is wrong and ends with 2. */
export function benchFlags<const Specs extends Readonly<Record<string, FlagSpec>>>(
  about: { readonly task: string; readonly summary: string; readonly specs: Specs },
): FlagValues<Specs> {
  const read = readFlags(Deno.args, about);
  if (read.kind === "run") return read.values;
  if (read.kind === "help") {
    console.log(read.text);
    Deno.exit(0);
  }
  console.error(read.text);
  Deno.exit(2);
}
