/**
 * `deno task test`: runs every test and ends with one plain line, `N passed, N failed[, N skipped]`. Downloads no model
 * and no server: what the machine lacks is skipped, named, and said how to get. With CI=true a skip is a failure.
 */
import { missingParts } from "./parts.ts";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Tests that compute with a whole core or start a cluster: one file after another. */
const alone = ["tests", "workers/llama"];
/** All others: as many files at a time as there are cores. */
const together = [
  ...["wire", "runtime", "frontend", "router", "planner", "workers", "kvbm", "cluster", "bench"],
  `--ignore=${alone.join(",")}`,
];

/** Counts of `deno test`'s closing line, or nothing where the run never got there. */
function countsOf(output: string): Counts | undefined {
  const line = output.split("\n").filter((one) => /^(ok|FAILED) \| \d+ passed/.test(one)).at(
    -1,
  );
  if (line === undefined) return undefined;
  const count = (what: string) => Number(new RegExp(`(\\d+) ${what}`).exec(line)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

/** One run of `deno test`; what it says goes on to stdout. A run that fails without a failed test counts as one. */
async function runTests(args: readonly string[]): Promise<Counts> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", ...args],
    stdout: "piped",
    stderr: "inherit",
    env: { NO_COLOR: "1" },
  }).spawn();
  let output = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    await Deno.stdout.write(chunk);
    output += decoder.decode(chunk, { stream: true });
  }
  const status = await child.status;
  const counts = countsOf(output) ?? { passed: 0, failed: 1, skipped: 0 };
  return counts.failed === 0 && !status.success ? { ...counts, failed: 1 } : counts;
}

async function main(): Promise<number> {
  const runs = Deno.args.length > 0 ? [Deno.args] : [["--parallel", ...together], alone];
  let [passed, failed, skipped] = [0, 0, 0];
  for (const args of runs) {
    const counts = await runTests(args);
    passed += counts.passed;
    failed += counts.failed;
    skipped += counts.skipped;
  }
  const missing = await missingParts();
  for (const part of missing) console.log(`skipped for want of ${part.name}: ${part.how}`);
  const inCi = Deno.env.get("CI") === "true";
  if (inCi && skipped > 0) {
    console.log(`${skipped} tests were skipped, and in CI nothing may be`);
  }
  const tail = skipped > 0 ? `, ${skipped} skipped` : "";
  console.log(`${passed} passed, ${failed} failed${tail}`);
  return failed > 0 || (inCi && skipped > 0) ? 1 : 0;
}

Deno.exit(await main());
