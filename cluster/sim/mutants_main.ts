import { option, parseConfig, renderHelp, wantsHelp } from "@pixii/runtime";
import type { ConfigOf } from "@pixii/runtime";
import { mutants } from "./mutants.ts";
import type { Mutant } from "./mutants.ts";

const schema = {
  seeds: option.integer({
    fallback: 200,
    min: 1,
    max: 1_000_000,
    help: "Most runs per mutant; the first that fails is enough.",
  }),
  minutes: option.number({ fallback: 4, min: 0.1, max: 1_000, help: "Virtual minutes of each." }),
  jobs: option.integer({ fallback: 2, min: 1, max: 64, help: "Mutants that are tried at a time." }),
  only: option.text({ fallback: "", placeholder: "TEXT", help: "Only those whose name has it." }),
} as const;
type Options = ConfigOf<typeof schema>;

/** Of ten mutants, so many must be found. */
const leastFound = 0.9;
const root = new URL("../../", import.meta.url).pathname;

/**
 * `deno task sim:mutants`: is the sweep worth anything? Breaks one line at a time in a copy of the tree and looks whether
 * the sweep sees it. Exit codes: 0, 1 too few were found or a line is no longer there, 2 bad usage.
 */
async function main(): Promise<number> {
  if (wantsHelp(Deno.args)) {
    const about = "breaks one line at a time in a copy and looks whether the sweep finds it";
    console.log(renderHelp(schema, "deno task sim:mutants", about));
    return 0;
  }
  const parsed = parseConfig(schema, { args: Deno.args, env: {} });
  if ("problems" in parsed) {
    for (const problem of parsed.problems) console.error(problem);
    return 2;
  }
  const { config } = parsed;
  const chosen = mutants.filter((one) => one.name.includes(config.only));
  const waiting = [...chosen];
  let found = 0;
  const work = async () => {
    const folder = await Deno.makeTempDir({ prefix: "pixii-mutants-" });
    try {
      await copyTree(folder);
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const said = await tryMutant(folder, mutant, config);
        found += said === undefined ? 0 : 1;
        console.log(`${said === undefined ? "NOT FOUND" : "found"}: ${mutant.name}`);
        if (said !== undefined) console.log(`    ${said}`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  };
  await Promise.all(Array.from({ length: Math.min(config.jobs, chosen.length) }, work));
  console.log(`${found} of ${chosen.length} mutants found`);
  return found >= leastFound * chosen.length ? 0 : 1;
}

/** What the sweep says of a mutant; nothing where it keeps every promise. */
async function tryMutant(
  folder: string,
  { name, file, find, replace }: Mutant,
  { seeds, minutes }: Options,
): Promise<string | undefined> {
  const path = `${folder}/${file}`;
  const text = await Deno.readTextFile(path);
  const pieces = text.split(find);
  if (pieces.length !== 2) {
    throw new Error(
      `Cannot make the mutant '${name}': ${file} has its line ${
        pieces.length - 1
      } times; bring cluster/sim/mutants.ts up to date`,
    );
  }
  await Deno.writeTextFile(path, pieces.join(replace));
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", "--quiet", `${folder}/cluster/sim/sweep_main.ts`],
      ...["--jobs", "1", "--stop-after", "1", "--seeds", `${seeds}`, "--minutes", `${minutes}`],
    ],
    stdout: "null",
    stderr: "piped",
  }).output();
  await Deno.writeTextFile(path, text);
  if (code === 0) return undefined;
  const lines = new TextDecoder().decode(stderr).trim().split("\n");
  return lines.find((line) => line.startsWith("seed ")) ?? `the run broke down: ${lines[0]}`;
}

/** The members and what they read: everything a sweep needs. */
async function copyTree(folder: string): Promise<void> {
  const { workspace } = JSON.parse(await Deno.readTextFile(`${root}deno.json`));
  for (const file of ["deno.json", "deno.lock"]) {
    await Deno.copyFile(`${root}${file}`, `${folder}/${file}`);
  }
  for (const member of [...workspace, "models"]) {
    await copyFolder(`${root}${member}`, `${folder}/${member}`);
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isFile, isDirectory } of Deno.readDir(from)) {
    if (isDirectory) await copyFolder(`${from}/${name}`, `${to}/${name}`);
    else if (isFile) await Deno.copyFile(`${from}/${name}`, `${to}/${name}`);
  }
}

if (import.meta.main) Deno.exit(await main());
