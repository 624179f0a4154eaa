/**
 * `deno task test`: runs every test and ends with one plain line, `N passed, N failed[, N skipped]`. Downloads no model
 * and no server: what the machine lacks is skipped, named, and said how to get. With CI=true a skip is a failure.
 */
import { missingParts } from "./parts.ts";

/** Counts of `deno test`'s closing line, or nothing where the run never got there. */
function countsOf(output: string): { passed: number; failed: number; skipped: number } | undefined {
  const line = output.split("\n").filter((one) => /^(ok|FAILED) \| \d+ passed/.test(one)).at(
    -1,
  );
  if (line === undefined) return undefined;
  const count = (what: string) => Number(new RegExp(`(\\d+) ${what}`).exec(line)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

async function main(): Promise<number> {
  const paths = Deno.args.length > 0 ? Deno.args : [];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", ...paths],
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
  const missing = await missingParts();
  for (const part of missing) console.log(`skipped for want of ${part.name}: ${part.how}`);
  const inCi = Deno.env.get("CI") === "true";
  if (inCi && counts.skipped > 0) {
    console.log(`${counts.skipped} tests were skipped, and in CI nothing may be`);
  }
  const failed = counts.failed === 0 && !status.success ? 1 : counts.failed;
  const tail = counts.skipped > 0 ? `, ${counts.skipped} skipped` : "";
  console.log(`${counts.passed} passed, ${failed} failed${tail}`);
  return failed > 0 || (inCi && counts.skipped > 0) ? 1 : 0;
}

Deno.exit(await main());
