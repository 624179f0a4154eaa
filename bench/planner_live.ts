/**
 * `deno task bench:planner:live`: real llama workers, three of one thread each, prompts and answers in different ones. Traffic
 * shifts from long prompts with short answers to short prompts with long answers; the planner that acts changes a worker's
 * role. The same requests at the same times go to both splits that stay as they are, turn by turn in one run. How much is
 * asked and what is promised follow the profile, which is measured first: too much for one worker of a job, not for two.
 * Flags: see `--help`.
 */
import { WorkerTimes } from "@pixii/wire";
import { printFigure, printMachine, quantile } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";
import { measureProfile, readProfile } from "./measured_profile.ts";
import { liveRequests, liveShift, shareWithin } from "./planner_live_load.ts";
import type { LiveShift } from "./planner_live_load.ts";
import { runTurn } from "./planner_live_run.ts";
import type { LiveSeen } from "./planner_live_run.ts";

const values = benchFlags({
  task: "bench:planner:live",
  summary: "The planner changes a real worker's role as traffic shifts, beside splits that stay.",
  specs: {
    json: jsonFlag,
    model: { kind: "text", help: "Model of the workers.", fallback: "smollm2" },
    lead: { kind: "number", help: "Seconds of the first traffic that do not count.", fallback: 10 },
    before: { kind: "number", help: "Seconds after those before the shift.", fallback: 15 },
    during: { kind: "number", help: "Seconds after it that the planner is given.", fallback: 15 },
    after: { kind: "number", help: "Seconds after those.", fallback: 20 },
    profile: {
      kind: "text",
      help: "Profile of the model; measured first without it (deno task profile).",
      fallback: "",
    },
    turns: {
      kind: "text",
      help: "Which clusters, in which order; the figures need all three.",
      fallback: "2p1d,planner,1p2d",
    },
    seed: { kind: "number", help: "Of the requests.", fallback: 1 },
  },
});

const sizes = { longPrompt: 256, shortOutput: 8, shortPrompt: 32, longOutput: 96, maxSeqs: 4 };
const worker = ["--threads", "1", "--ctx", "2048", "--max-seqs", String(sizes.maxSeqs)];
const phases = ["before", "during", "after"] as const;
const splits = ["planner", "2p1d", "1p2d"] as const;
type Split = typeof splits[number];
type Shares = Readonly<Record<typeof phases[number] | "all", number>>;

const turns = values.turns.split(",").filter((text): text is Split =>
  (splits as readonly string[]).includes(text)
);
if (turns.length === 0 || turns.join() !== values.turns) {
  console.error(
    `Cannot use --turns: each must be one of ${splits.join(", ")}, got ${values.turns}`,
  );
  Deno.exit(2);
}
const countsMs = 1000 * values.lead;
const shiftMs = countsMs + 1000 * values.before;
const settledMs = shiftMs + 1000 * values.during;
const endMs = settledMs + 1000 * values.after;

/** Flags of a cluster; the planner's begins with the split that long prompts want. */
function flagsOf(split: Split, profile: string, { goal }: LiveShift): readonly string[] {
  const counts = split === "1p2d" ? ["1", "2"] : ["2", "1"];
  const common = [
    ...["--model", values.model, "--served-name", "bench", ...worker],
    ...["--prefill", counts[0], "--decode", counts[1], "--worker.profile", profile],
    // Long prompts go to prefill workers, whatever waits there; short ones are computed where they are answered.
    ...["--router.split-max-local-prefill-length", "64", "--router.split-patience", "1000"],
    ...["--router.split-max-prefill-queue-size", "1000"],
    ...["--planner.goal-ttft", `${Math.round(goal.ttftMs)}ms`],
    ...["--planner.goal-itl", `${Math.round(goal.itlMs)}ms`],
    ...["--planner.reactive", "1s", "--planner.predictive", "10s", "--planner.window", "10s"],
    ...["--planner.flip-time", "2s", "--planner.cool-down", "15s"],
  ];
  // Three workers are all there are: only roles change.
  return split === "planner" ? [...common, "--planner", "act", "--planner.scale", "off"] : common;
}

function spanOf(phase: keyof Shares): readonly [number, number] {
  if (phase === "before") return [countsMs, shiftMs];
  if (phase === "during") return [shiftMs, settledMs];
  return [phase === "after" ? settledMs : countsMs, Infinity];
}

function sharesOf({ outcomes }: LiveSeen, { goal }: LiveShift): Shares {
  const of = (phase: keyof Shares) => {
    const [from, to] = spanOf(phase);
    return shareWithin(outcomes, goal, { from, to });
  };
  return { before: of("before"), during: of("during"), after: of("after"), all: of("all") };
}

function describe(split: Split, seen: LiveSeen, shift: LiveShift): void {
  const shares = sharesOf(seen, shift);
  const text = [...phases, "all" as const].map((phase) =>
    `${phase} ${(100 * shares[phase]).toFixed(0)} %`
  );
  const failures = seen.outcomes.flatMap(({ failure }) => failure ?? []);
  console.error(
    `${split.padEnd(8)} within the goal: ${text.join(", ")}; ${seen.outcomes.length} requests, ` +
      `${failures.length} failed`,
  );
  for (const phase of phases) {
    const [from, to] = spanOf(phase);
    const ended = seen.outcomes.filter(({ atMs, ttftMs }) =>
      atMs >= from && atMs < to && ttftMs !== undefined
    );
    if (ended.length === 0) continue;
    const [ttft, itl] = [ended.map((one) => one.ttftMs!), ended.map((one) => one.itlMs!)];
    const of = (values: readonly number[]) =>
      [0.5, 0.95].map((p) => Math.round(quantile(values, p))).join(" / ");
    console.error(
      `  ${phase.padEnd(7)} first token p50 / p95 ${of(ttft)} ms, further ones ${of(itl)}`,
    );
  }
  for (const failure of failures.slice(0, 3)) console.error(`  failed: ${failure}`);
  for (const { atMs, text } of seen.roles) {
    console.error(`  ${(atMs / 1000).toFixed(1).padStart(6)} s  ${text}`);
  }
  if (split === "planner") { for (const move of seen.moves) console.error(`  ${move}`); }
}

/** Seconds from the shift until the split was the one that the later traffic wants; undefined where it never was. */
function settleSeconds({ roles }: LiveSeen): number | undefined {
  const found = roles.find(({ atMs, text }) => atMs >= shiftMs && text.startsWith("1 prefill"));
  return found && (found.atMs - shiftMs) / 1000;
}

async function run(profile: string): Promise<number> {
  const shift = liveShift(new WorkerTimes(await readProfile(profile)), sizes);
  const { first, then, goal } = shift;
  console.error(
    `${first.perSecond.toFixed(2)}/s of ${sizes.longPrompt} + ${sizes.shortOutput} tokens, then ` +
      `${
        then.perSecond.toFixed(2)
      }/s of ${sizes.shortPrompt} + ${sizes.longOutput}; goal: first token ` +
      `${Math.round(goal.ttftMs)} ms, further ones ${Math.round(goal.itlMs)} ms each`,
  );
  const requests = liveRequests(shift, { shiftMs, endMs, seed: values.seed });
  const seen: Partial<Record<Split, LiveSeen>> = {};
  for (const split of turns) {
    const salt = 7919 * values.seed;
    const one = await runTurn({ flags: flagsOf(split, profile, shift), requests, salt });
    describe(split, one, shift);
    seen[split] = one;
  }
  return splits.every((split) => seen[split] !== undefined)
    ? print(seen as Record<Split, LiveSeen>, shift)
    : 0;
}

/** Prints the figures; answers the exit code. */
function print(seen: Readonly<Record<Split, LiveSeen>>, shift: LiveShift): number {
  const failures = splits.flatMap((split) => seen[split].outcomes)
    .filter(({ failure }) => failure !== undefined).length;
  const common = { unit: "share", better: "higher" } as const;
  const failed = { figure: "planner.live.failures", value: failures, unit: "requests" };
  printFigure({ ...failed, better: "lower" }, values.json);
  const shares = Object.fromEntries(splits.map((split) => [split, sharesOf(seen[split], shift)]));
  for (const phase of [...phases, "all" as const]) {
    const value = shares.planner[phase];
    for (const anchor of ["2p1d", "1p2d"] as const) {
      const anchorValue = shares[anchor][phase];
      const figure = `planner.live.${phase}`;
      // Nothing is so many times as good as a split that served nothing.
      const ratio = anchorValue === 0 ? {} : { ratio: value / anchorValue };
      printFigure({ figure, value, ...common, anchor, anchorValue, ...ratio }, values.json);
    }
  }
  const settle = settleSeconds(seen.planner);
  if (settle !== undefined) {
    const figure = { figure: "planner.live.settle", value: settle, unit: "s" };
    printFigure({ ...figure, better: "lower" }, values.json);
  }
  if (failures > 0) console.error(`${failures} requests failed`);
  if (settle === undefined) console.error("the planner changed no role after the shift");
  return failures > 0 || settle === undefined ? 1 : 0;
}

await printMachine();
const folder = await Deno.makeTempDir({ prefix: "pixii-bench-" });
try {
  const path = values.profile || `${folder}/profile.json`;
  if (values.profile === "") {
    const flags = ["--max-seqs", String(sizes.maxSeqs), "--ctx", "2048"];
    await measureProfile(path, { model: values.model, grid: "quick", flags });
  }
  Deno.exitCode = await run(path);
} finally {
  await Deno.remove(folder, { recursive: true });
}
