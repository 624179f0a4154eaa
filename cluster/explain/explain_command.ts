import { workerRankText } from "@pixii/wire";
import type { DecisionReport, Result } from "@pixii/wire";
import { explainDecision, readChange, replayDecision, whatIf } from "@pixii/router/core";
import type { ReplayResult } from "@pixii/router/core";
import { renderHelp, wantsHelp } from "@pixii/runtime";
import { findDecisions } from "./decision_source.ts";
import type { SourceIo } from "./decision_source.ts";
import { explainSchema, parseExplain } from "./explain_config.ts";
import type { ExplainConfig } from "./explain_config.ts";

/** Decisions of a list. */
const listed = 20;

/** Exit codes: done, failed or not the same again, bad usage, no such decision. */
const codes = { done: 0, failed: 1, usage: 2, missing: 3 } as const;

/** What `deno task explain` touches. */
export interface ExplainIo extends SourceIo {
  readonly env: Readonly<Record<string, string>>;
  /** A line for people or a program, to stdout. */
  readonly say: (line: string) => void;
  /** A line about a problem, to stderr. */
  readonly warn: (line: string) => void;
}

/** Explains a decision and answers the exit code: 0 done, 1 failed or not the same again, 2 bad usage, 3 no such decision. */
export async function runExplain(args: readonly string[], io: ExplainIo): Promise<number> {
  if (wantsHelp(args)) {
    io.say(help());
    return codes.done;
  }
  const ask = parseExplain(args, io.env);
  if ("problems" in ask) {
    for (const problem of ask.problems) io.warn(problem);
    return codes.usage;
  }
  const { id, config } = ask;
  const isList = id === undefined && !config.last;
  const wish = id === undefined ? { most: isList ? listed : 1 } : { id };
  const found = await findDecisions(wish, config, io);
  if (!found.ok) {
    io.warn(found.error.message);
    if (found.error.code === "invalid_request") return codes.usage;
    return found.error.code === "not_found" ? codes.missing : codes.failed;
  }
  const { reports, complaints } = found.value;
  for (const complaint of complaints) io.warn(complaint);
  if (isList) {
    for (const report of reports) io.say(config.json ? JSON.stringify(report) : lineOf(report));
    return codes.done;
  }
  let code: number = codes.done;
  reports.forEach((report, i) => {
    if (i > 0 && !config.json) io.say("");
    code = Math.max(code, explainOne(report, config, io));
  });
  return code;
}

function help(): string {
  const words = renderHelp(
    explainSchema,
    "deno task explain",
    "why a request went to its worker, and what would have changed it",
  );
  return [
    words,
    "",
    "  deno task explain REQUEST --ready-file PATH     a request id, or the client's x-request-id",
    "  deno task explain --last --admin URL            the newest decision",
    `  deno task explain --admin URL                   the last ${listed}, a line each`,
    "",
    "Exit codes: 0 done, 1 failed or not the same again (--replay), 2 bad usage, 3 no such decision.",
  ].join("\n");
}

/** One decision in a list. */
function lineOf({ record, wallMs, clientId, outcome }: DecisionReport): string {
  const when = wallMs === undefined ? `${record.atMs} ms` : new Date(wallMs).toISOString();
  const client = clientId === undefined ? "" : ` (${clientId})`;
  const first = outcome?.firstTokenMs;
  const came = first === undefined ? "" : `, first token after ${Math.round(first)} ms`;
  return `${when} ${record.requestId}${client} ${record.model} -> ${
    workerRankText(record.chosen)
  } by ${record.policy} of ${record.eligible}${came}`;
}

function explainOne(report: DecisionReport, config: ExplainConfig, io: ExplainIo): number {
  const replayed = config.replay ? replayDecision(report) : undefined;
  const supposed = config["what-if"].length > 0 ? suppose(report, config["what-if"]) : undefined;
  if (supposed !== undefined && !supposed.ok) {
    io.warn(supposed.error.message);
    return codes.usage;
  }
  if (config.json) {
    io.say(JSON.stringify({
      ...report,
      ...(replayed === undefined
        ? {}
        : { replay: { isEqual: replayed.isEqual, differences: replayed.differences } }),
      ...(supposed === undefined ? {} : { whatIf: supposed.value }),
    }));
  } else {
    for (const line of explainDecision(report)) io.say(line);
    if (replayed !== undefined) { for (const line of replayLines(report, replayed)) io.say(line); }
    if (supposed !== undefined) { for (const line of supposeLines(supposed.value)) io.say(line); }
  }
  return replayed?.isEqual === false ? codes.failed : codes.done;
}

function replayLines({ ranks }: DecisionReport, { isEqual, differences, again }: ReplayResult) {
  if (isEqual) {
    const costs = ranks.filter(({ cost }) => cost !== undefined).length;
    return [
      "",
      `Made again: equal, bit for bit (${workerRankText(again.worker)}, ${costs} costs).`,
    ];
  }
  return ["", "Made again: different", ...differences.map((one) => `  ${one}`)];
}

/** What supposing came to. */
interface Supposed {
  readonly with: readonly string[];
  /** `INSTANCE.RANK`; nothing where no worker is left. */
  readonly worker: string | undefined;
  readonly before: string;
  readonly extraDraws: number;
}

function suppose(report: DecisionReport, texts: readonly string[]): Result<Supposed> {
  const changes = [];
  for (const text of texts) {
    const change = readChange(text, report);
    if (!change.ok) return change;
    changes.push(change.value);
  }
  const again = whatIf(report, changes);
  return {
    ok: true,
    value: {
      with: texts,
      worker: again === undefined ? undefined : workerRankText(again.worker),
      before: workerRankText(report.record.chosen),
      extraDraws: again?.extraDraws ?? 0,
    },
  };
}

function supposeLines({ with: texts, worker, before, extraDraws }: Supposed): string[] {
  const what = `With ${texts.join(" and ")}`;
  if (worker === undefined) return ["", `${what}: no worker is left.`];
  const chance = extraDraws === 0
    ? []
    : ["  (the record holds no random number for that: it was made of the request id)"];
  const said = worker === before ? `${worker} all the same` : `${worker} instead of ${before}`;
  return ["", `${what}: ${said}.`, ...chance];
}
