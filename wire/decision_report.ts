import { z } from "zod";
import {
  count,
  finite,
  instanceId,
  label,
  modelHash,
  streamKey,
  u32,
  workerRank,
} from "./field.ts";
import { fail, ok } from "./result.ts";
import type { Result } from "./result.ts";
import { candidate, decisionRecord, routeHints } from "./route.ts";

/** Most eligible ranks of one report. */
const mostRanks = 65_536;
/** Workers that a report names per reason of exclusion. */
export const mostExcludedNamed = 16;

/** One eligible rank as the decision saw it: everything that its price was computed from. */
const rankInputs = z.object({
  worker: workerRank,
  /** Blocks of the prompt that it held, in its own block size. */
  overlap: candidate.shape.overlap,
  /** Tokens of its blocks, and how many requests it computes at a time. */
  blockSize: u32,
  maxSeqs: u32,
  /** Numbers by name, such as `prefillTokens`, `blocks`, `requests`, `lastTurn`. */
  numbers: z.record(z.string().max(64), finite),
  /** What it cost; not there where the policy did not look at it. */
  cost: finite.optional(),
  /** Place of its measured profile in `profiles`. */
  profile: u32.optional(),
});
/** One eligible rank as the decision saw it. */
export type RankInputs = z.infer<typeof rankInputs>;

/** What became of a placed stream, as far as its frontend told the router. */
export const decisionOutcome = z.object({
  ...streamKey.shape,
  /** From the decision to the word that the first token came, in milliseconds. */
  firstTokenMs: finite.optional(),
  /** Prompt tokens that the engine took from its caches. */
  cachedTokens: u32.optional(),
  /** From the decision to the end of the stream at this worker, in milliseconds. */
  endMs: finite.optional(),
  outputTokens: u32.optional(),
  /** `stop`, `length`, `cancelled`, or the code of the error that ended it. */
  reason: label.optional(),
});
/** What became of a placed stream. */
export type DecisionOutcome = z.infer<typeof decisionOutcome>;

/**
 * A decision with all that it was made from, so that it can be made again: the JSON of `/v1/pixii/decisions/{id}` and of a
 * line in the decision file. `ranks` are all that were eligible, in the order in which they were looked at.
 */
export const decisionReport = z.object({
  v: z.literal(1),
  record: decisionRecord,
  modelHash,
  frontend: instanceId,
  /** The client's own `x-request-id`. */
  clientId: label.optional(),
  /** Milliseconds since 1970 at which the decision was made, by the router's wall clock. */
  wallMs: finite.optional(),
  remainingMs: count,
  hints: routeHints.optional(),
  /** How long the request waited in the router's queue, in milliseconds. */
  queuedMs: finite.optional(),
  /** The choice's own input: policy, weights in force and so on; plain data of the router's version. */
  input: z.record(z.string(), z.unknown()),
  ranks: z.array(rankInputs).max(mostRanks),
  profiles: z.array(z.unknown()).max(mostRanks).optional(),
  /** Ranks that could not take the request, by reason. */
  excluded: z.array(z.object({
    reason: label,
    count: u32,
    workers: z.array(workerRank).max(mostExcludedNamed),
  })).max(64),
  outcome: decisionOutcome.optional(),
});
/** A decision with all that it was made from. */
export type DecisionReport = z.infer<typeof decisionReport>;

/** A line of the decision file: a report, or what a stream came to that an earlier line placed. */
const decisionLine = z.union([
  decisionReport,
  z.object({ v: z.literal(1), outcome: decisionOutcome }),
]);
/** A line of the decision file. */
export type DecisionLine = z.infer<typeof decisionLine>;

/** The report in a parsed JSON value, or `decode_error` that names the field. */
export function readDecisionReport(value: unknown): Result<DecisionReport> {
  return read(decisionReport, value);
}

/** The line in a JSON text, or `decode_error` that says what is wrong. */
export function readDecisionLine(text: string): Result<DecisionLine> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return fail("decode_error", `Cannot read the decision: ${(error as Error).message}`);
  }
  return read(decisionLine, value);
}

function read<Value>(fields: z.ZodType<Value>, value: unknown): Result<Value> {
  if ((value as { v?: unknown } | null)?.v !== 1) {
    return fail("decode_error", "Cannot read the decision: this program speaks version 1");
  }
  const parsed = fields.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const issue = parsed.error.issues[0];
  return fail(
    "decode_error",
    `Cannot read the decision: ${issue.path.join(".")}: ${issue.message}`,
  );
}
