import { readLinesFile } from "../lines_file.ts";
import { fail, ok, readDecisionLine, readDecisionReport } from "@pixii/wire";
import type { DecisionLine, DecisionReport, Result } from "@pixii/wire";
import { connectRegistry } from "@pixii/runtime";
import type { Clock, Log } from "@pixii/runtime";
import { adminsInReadyFile, adminsInRegistry, namedAdmins } from "../admin_ports.ts";
import type { ExplainConfig } from "./explain_config.ts";

/** A router answers within this or is passed over. */
const answerMs = 5_000;

/** Which decisions are wanted: all of one request, or the newest `most`. */
export type DecisionWish = { readonly id: string } | { readonly most: number };

/** Decisions, oldest first, and what went wrong at some of the places that were asked. */
export interface FoundDecisions {
  readonly reports: readonly DecisionReport[];
  readonly complaints: readonly string[];
}

/** What looking for decisions touches. */
export interface SourceIo {
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** The decisions from a file or from routers, as the options say. Fails with the code of what is missing. */
export async function findDecisions(
  wish: DecisionWish,
  config: ExplainConfig,
  io: SourceIo,
): Promise<Result<FoundDecisions>> {
  if (config.file !== "") return await fromFile(wish, config.file);
  const routers = await routersOf(config, io);
  if (!routers.ok) return routers;
  const answers = await Promise.all(routers.value.map((url) => fromRouter(wish, url, io)));
  const complaints = answers.flatMap((answer) => answer.ok ? [] : [answer.error.message]);
  const reports = sorted(answers.flatMap((answer) => answer.ok ? answer.value : []), wish);
  if (reports.length > 0) return ok({ reports, complaints });
  const isUnknown = answers.some((answer) => answer.ok || answer.error.code === "not_found");
  const why = complaints.length > 0 ? complaints.join("; ") : "no router has made a decision yet";
  return fail(isUnknown ? "not_found" : "internal", why);
}

/** Admin addresses of the routers. */
async function routersOf(config: ExplainConfig, io: SourceIo): Promise<Result<string[]>> {
  if (config.admin.length > 0) return ok(namedAdmins(config.admin));
  if (config["ready-file"] !== "") return await routersOfReadyFile(config["ready-file"]);
  if (config.etcd !== "") return await routersOfRegistry(config, io);
  return fail(
    "invalid_request",
    "Cannot tell which router to ask: give --admin URL, --ready-file PATH, --etcd URL, or --file PATH",
  );
}

async function routersOfReadyFile(path: string): Promise<Result<string[]>> {
  const found = await adminsInReadyFile(path, "router");
  return found.ok ? ok(found.value.admins) : found;
}

async function routersOfRegistry(
  config: ExplainConfig,
  { clock, log, signal }: SourceIo,
): Promise<Result<string[]>> {
  const registry = await connectRegistry(config.etcd, { clock, log, signal });
  if (!registry.ok) return registry;
  await using open = registry.value;
  return await adminsInRegistry(open, "router", config);
}

async function fromRouter(
  wish: DecisionWish,
  admin: string,
  { clock, signal }: SourceIo,
): Promise<Result<DecisionReport[]>> {
  const path = "id" in wish ? `/${encodeURIComponent(wish.id)}` : `?limit=${wish.most}`;
  using deadline = clock.deadline(answerMs);
  let body: { readonly decisions?: unknown; readonly error?: { readonly message?: string } };
  try {
    const answer = await fetch(`${admin}/v1/pixii/decisions${path}`, {
      signal: AbortSignal.any([deadline.signal, signal]),
    });
    body = await answer.json();
  } catch (error) {
    const why = deadline.signal.aborted ? `no answer in ${answerMs} ms` : (error as Error).message;
    return fail("internal", `Cannot ask the router at ${admin}: ${why}`);
  }
  if (!Array.isArray(body.decisions)) {
    const why = body.error?.message ?? "its answer is not about decisions";
    return fail("not_found", `The router at ${admin} says: ${why}`);
  }
  const reports = body.decisions.map(readDecisionReport);
  const broken = reports.find((one) => !one.ok);
  if (broken !== undefined) return broken as Result<never>;
  return ok(reports.flatMap((one) => one.ok ? [one.value] : []));
}

async function fromFile(wish: DecisionWish, path: string): Promise<Result<FoundDecisions>> {
  const complaints: string[] = [];
  const reports: DecisionReport[] = [];
  for (const part of [`${path}.1`, path]) {
    const text = await readLinesFile(part);
    if (!text.ok) {
      if (part === path) return text;
      continue;
    }
    joinLines(text.value.split("\n"), { reports, complaints, part });
  }
  const found = sorted(reports, wish);
  if (found.length > 0) return ok({ reports: found, complaints });
  const what = "id" in wish ? `request ${wish.id}` : "any request";
  return fail("not_found", [`No decision of ${what} is in ${path}`, ...complaints].join("; "));
}

/** Takes lines in order; what an earlier line placed and a later one tells the end of becomes one report. */
function joinLines(
  lines: readonly string[],
  into: {
    readonly reports: DecisionReport[];
    readonly complaints: string[];
    readonly part: string;
  },
): void {
  const { reports, complaints, part } = into;
  const places = new Map(reports.map((report, i) => [textOf(report.record), i]));
  let bad = 0;
  for (const line of lines) {
    if (line === "") continue;
    const read: Result<DecisionLine> = readDecisionLine(line);
    if (!read.ok) {
      bad += 1;
    } else if ("record" in read.value) {
      places.set(textOf(read.value.record), reports.length);
      reports.push(read.value);
    } else {
      const { outcome } = read.value;
      const at = places.get(textOf(outcome));
      if (at !== undefined) reports[at] = { ...reports[at], outcome };
    }
  }
  if (bad > 0) complaints.push(`${bad} lines of ${part} could not be read`);
}

function textOf(
  key: { readonly requestId: string; readonly attempt: number; readonly leg: number },
) {
  return `${key.requestId}.${key.attempt}.${key.leg}`;
}

/** Those that are wished for, oldest first. */
function sorted(reports: readonly DecisionReport[], wish: DecisionWish): DecisionReport[] {
  const ofId = "id" in wish
    ? reports.filter(({ record, clientId }) => record.requestId === wish.id || clientId === wish.id)
    : reports;
  const at = ({ wallMs, record }: DecisionReport) => wallMs ?? record.atMs;
  const ordered = ofId.toSorted((a, b) => at(a) - at(b));
  return "id" in wish ? ordered : ordered.slice(-wish.most);
}
