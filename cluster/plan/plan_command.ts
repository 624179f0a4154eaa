import { historyLine, historyWords, modelOf } from "@pixii/planner";
import type { HistoryLine } from "@pixii/planner";
import { PlanReplay, replayPlans } from "@pixii/planner/core";
import type { InputLine, PlanRecord, ReplayResult } from "@pixii/planner/core";
import { renderHelp, wantsHelp } from "@pixii/runtime";
import type { Chance } from "@pixii/runtime";
import { fail, ok } from "@pixii/wire";
import type { ErrorCode, Result } from "@pixii/wire";
import { parsePlan, planSchema } from "./plan_config.ts";
import type { PlanAsk, PlanConfig } from "./plan_config.ts";
import { giveOrder, takeBack } from "./plan_orders.ts";
import {
  askPlanner,
  findPlanners,
  readHistoryFile,
  registryPlace,
  withRegistry,
} from "./plan_source.ts";
import type { PlanSourceIo } from "./plan_source.ts";
import { dryRunLines, nowLines, orderText, replayLines } from "./plan_words.ts";

/** As few decisions are told with everything that they were made from. */
const fewDecisions = 3;
/** Exit codes: done, failed or not the same again, bad usage, nothing there. */
const codes = { done: 0, failed: 1, usage: 2, missing: 3 } as const;

/** What `deno task plan` touches. */
export interface PlanIo extends PlanSourceIo {
  readonly env: Readonly<Record<string, string>>;
  readonly chance: Chance;
  /** A line for people or a program, to stdout. */
  readonly say: (line: string) => void;
  /** A line about a problem, to stderr. */
  readonly warn: (line: string) => void;
}

/** Shows, makes again or steers what planners do, and answers the exit code: 0 done, 1 failed or not the same again, 2 bad usage, 3 no such planner, model, decision or order. */
export async function runPlan(args: readonly string[], io: PlanIo): Promise<number> {
  if (wantsHelp(args)) {
    io.say(help());
    return codes.done;
  }
  const ask = parsePlan(args, io.env);
  if ("problems" in ask) {
    for (const problem of ask.problems) io.warn(problem);
    return codes.usage;
  }
  const done = await doIt(ask, io);
  if (done.ok) return done.value;
  io.warn(done.error.message);
  return codeOf(done.error.code);
}

function help(): string {
  return [
    renderHelp(planSchema, "deno task plan", "what the planner sees, decides and is told"),
    "",
    "  deno task plan --ready-file PATH              what it thinks now",
    "  deno task plan --history --last 20 --model M  what it decided and what came of it",
    "  deno task plan --replay --file PATH           makes every kept decision again",
    "  deno task plan --dry-run --etcd URL           what it would decide now",
    "  deno task plan pause --reason TEXT [--for 10m] [--model M]",
    "  deno task plan pin --model M --prefill 1 --decode 3 --reason TEXT [--for 10m]",
    "  deno task plan veto --move flip|start|stop | --worker INSTANCE | --decision ID --reason TEXT",
    "  deno task plan resume ORDER | --model M | --all",
    "",
    "Exit codes: 0 done, 1 failed or not the same again (--replay), 2 bad usage, 3 no such planner, model, decision or order.",
  ].join("\n");
}

function codeOf(code: ErrorCode): number {
  if (code === "invalid_request") return codes.usage;
  return code === "not_found" || code === "registry_unavailable" ? codes.missing : codes.failed;
}

async function doIt(ask: PlanAsk, io: PlanIo): Promise<Result<number>> {
  const { kind, config } = ask;
  if (kind === "resume") {
    const place = await registryPlace(config);
    if (!place.ok) return place;
    const taken = await withRegistry(
      place.value,
      io,
      (registry) => takeBack(ask, { registry, namespace: place.value.namespace }),
    );
    return said(taken, io, (orders) => orders.map((order) => tell(config, "taken back", order)));
  }
  if (kind === "pause" || kind === "pin" || kind === "veto") {
    const place = await registryPlace(config);
    if (!place.ok) return place;
    const { namespace } = place.value;
    const { clock, chance, env } = io;
    const user = env.USER || env.USERNAME || "an operator";
    const history = () => historyOf(config, io, "?");
    const given = await withRegistry(
      place.value,
      io,
      (registry): Promise<Result<OrderOf>> =>
        giveOrder(ask, { registry, namespace, clock, chance, user, history }),
    );
    return said(given, io, (order) => [tell(config, "given", order)]);
  }
  if (config.file !== "") return await fromFile(config, io);
  const admins = await findPlanners(config, io);
  if (!admins.ok) return admins;
  if (kind === "history") return said(await historyOf(config, io), io, (all) => told(all, config));
  let code: number = codes.done;
  for (const [at, admin] of admins.value.entries()) {
    if (at > 0 && !config.json) io.say("");
    const one = await lookAt(admin, ask, io);
    if (!one.ok) io.warn(one.error.message);
    code = Math.max(code, one.ok ? one.value : codes.failed);
  }
  return ok(code);
}

type OrderOf = Parameters<typeof orderText>[0];

function tell({ json }: PlanConfig, what: string, order: OrderOf): string {
  return json ? JSON.stringify(order) : `${what}: ${order.id}, ${orderText(order)}`;
}

function said<T>(
  result: Result<T>,
  io: PlanIo,
  lines: (value: T) => readonly string[],
): Result<number> {
  if (!result.ok) return result;
  for (const line of lines(result.value)) io.say(line);
  return ok(codes.done);
}

/** What one planner thinks now, would do, or did. */
async function lookAt(
  admin: string,
  { kind, config }: PlanAsk,
  io: PlanIo,
): Promise<Result<number>> {
  if (kind === "now") {
    const view = await askPlanner(admin, { path: "/plan", io });
    return said(
      view,
      io,
      (plan) => config.json ? [JSON.stringify(plan)] : nowLines(plan, config.model),
    );
  }
  if (kind === "replay") return await replayAt(admin, config, io);
  const plan = await askPlanner(admin, { path: "/plan", io });
  if (!plan.ok) return plan;
  for (const problem of plan.value.problems) io.warn(problem);
  const inputs = await askPlanner(admin, { path: "/plan/inputs", io });
  if (!inputs.ok) return inputs;
  const { by, now, lines } = inputs.value;
  const before = lines?.map((text): InputLine => JSON.parse(text)) ?? [begin(by)];
  const records = wouldDecide(before, now).filter(({ model }) =>
    config.model === "" || model === config.model
  );
  const isExact = lines !== null;
  return said(
    ok(records),
    io,
    () =>
      config.json
        ? records.map((record) => JSON.stringify({ by, isExact, record }))
        : dryRunLines(records, { by, isExact }),
  );
}

/** Makes again what one planner keeps. */
async function replayAt(admin: string, config: PlanConfig, io: PlanIo): Promise<Result<number>> {
  // First: what a step is made from is kept before what it decides.
  const history = await askPlanner(admin, { path: "/plan/history", io });
  if (!history.ok) return history;
  const inputs = await askPlanner(admin, { path: "/plan/inputs", io });
  if (!inputs.ok) return inputs;
  const { by, lines } = inputs.value;
  if (lines === null) {
    return fail(
      "internal",
      `The planner at ${admin} no longer has all that its decisions were made from: more than --history-replay; --history-file PATH keeps it on disk`,
    );
  }
  const given = lines.map((text): InputLine => JSON.parse(text));
  const result = replayPlans(given, recordsOf(history.value.lines, config));
  return ok(replayed(result, { by, config, io }));
}

function begin(by: string): InputLine {
  return { kind: "begin", by, at: "", version: "" };
}

/** The records of the step that was not made. */
function wouldDecide(
  before: readonly InputLine[],
  now: readonly InputLine[],
): readonly PlanRecord[] {
  const copy = new PlanReplay();
  for (const line of before) copy.take(line);
  // What came of older decisions is no decision.
  return now.flatMap((line) => copy.take(line)).filter(({ outcome }) => outcome === undefined);
}

function recordsOf(lines: readonly HistoryLine[], { model }: PlanConfig) {
  return lines.flatMap((line) =>
    line.kind === "flip" || (model !== "" && line.record.model !== model) ? [] : [line]
  );
}

function replayed(
  result: ReplayResult,
  { by, config, io }: { readonly by?: string; readonly config: PlanConfig; readonly io: PlanIo },
): number {
  if (config.json) io.say(JSON.stringify({ ...(by === undefined ? {} : { by }), ...result }));
  else for (const line of replayLines(result)) io.say(line);
  const isSame = result.different.length === 0 && result.missing === 0;
  return isSame ? codes.done : codes.failed;
}

/** What planners keep, the oldest first; one that does not answer is passed over where another does. */
async function historyOf(
  config: PlanConfig,
  io: PlanIo,
  query = historyQuery(config),
): Promise<Result<readonly HistoryLine[]>> {
  const admins = await findPlanners(config, io);
  if (!admins.ok) return admins;
  const answers = await Promise.all(
    admins.value.map((admin) => askPlanner(admin, { path: "/plan/history", query, io })),
  );
  const failed = answers.find((one) => !one.ok);
  if (failed !== undefined && answers.every(({ ok }) => !ok)) return failed as Result<never>;
  for (const one of answers) if (!one.ok) io.warn(one.error.message);
  const all = answers.flatMap((one) => one.ok ? one.value.lines : []);
  return ok(all.toSorted((a, b) => a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

function historyQuery({ last, model }: PlanConfig): string {
  const query = new URLSearchParams();
  if (last !== undefined) query.set("last", String(last));
  if (model !== "") query.set("model", model);
  return `?${query}`;
}

/** The history in lines; a few decisions with all their words. */
function told(all: readonly HistoryLine[], { last, json }: PlanConfig): string[] {
  const lines = last === undefined ? all : all.slice(-last);
  if (json) return lines.map((line) => JSON.stringify(line));
  if (lines.length === 0) return ["no decision is kept yet"];
  if (last === undefined || last > fewDecisions) return lines.map(historyLine);
  return lines.flatMap((line, i) => {
    const [head, ...words] = historyWords(line);
    return [...(i === 0 ? [] : [""]), head, ...words.map((word) => `  ${word}`)];
  });
}

async function fromFile(config: PlanConfig, io: PlanIo): Promise<Result<number>> {
  const read = await readHistoryFile(config.file);
  if (!read.ok) return read;
  const { history, inputs, complaints } = read.value;
  for (const complaint of complaints) io.warn(complaint);
  if (history.length + inputs.length === 0) {
    return fail("not_found", `No decision is in ${config.file}: is it a planner's --history-file?`);
  }
  if (config.replay) {
    return ok(replayed(replayPlans(inputs, recordsOf(history, config)), { config, io }));
  }
  const mine = history.filter((line) => config.model === "" || modelOf(line) === config.model);
  return said(ok(mine), io, (lines) => told(lines, config));
}
