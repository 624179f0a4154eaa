import {
  everyTaint,
  isInstanceId,
  isPlacementTerm,
  mostPlacementTerms,
  policies,
  sessionModes,
  weightProblem,
} from "@pixii/wire";
import type { RouteHints } from "@pixii/wire";

/** What a client may ask for by headers and `nvext`: of the router, and how long the whole request may take. */
export interface ClientHints extends RouteHints {
  readonly timeoutMs?: number;
}

/** Longest session and tenant name, in characters. */
export const longestSession = 128;
/** Most workers of an allow or deny list. */
const mostWorkers = 256;
const dayMs = 86_400_000;

/** How a header's text becomes a value. */
export type HintShape = "text" | "number" | "list" | "numbers";

/** One hint: its names, and what its value must be. */
export interface HintRule {
  readonly hint: keyof ClientHints;
  /** Headers, the first that is there counts; the later ones are Dynamo's. */
  readonly headers: readonly string[];
  /** Fields of `nvext`, likewise. */
  readonly fields: readonly string[];
  readonly shape: HintShape;
  /** What is wrong with a value, as the end of a sentence; nothing where it is right. */
  problem(value: unknown): string | undefined;
}

type Check = (value: unknown) => string | undefined;

const worker: Check = (value) =>
  typeof value === "string" && isInstanceId(value)
    ? undefined
    : "must be a worker id of 16 hex digits";
const workers: Check = (value) =>
  isList(value, mostWorkers, (one) => isInstanceId(one))
    ? undefined
    : "must be an array of worker ids of 16 hex digits";
const integer = (min: number, max: number): Check => (value) =>
  typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
    ? undefined
    : `must be an integer from ${min} to ${max}`;
const word = (words: readonly string[]): Check => (value) =>
  words.some((one) => one === value) ? undefined : `must be one of ${words.join(", ")}`;
const name: Check = (value) =>
  typeof value === "string" && value !== "" && value.length <= longestSession
    ? undefined
    : `must be 1 to ${longestSession} characters`;
const terms = (more?: string): Check => (value) =>
  isList(value, mostPlacementTerms, (one) => isPlacementTerm(one) || one === more)
    ? undefined
    : `must be an array of at most ${mostPlacementTerms} texts like key or key=value${
      more === undefined ? "" : `, or ${more}`
    }`;
const weights: Check = (value) => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return "must hold weights by name, such as kv.temperature";
  }
  for (const [weight, number] of Object.entries(value)) {
    const problem = weightProblem(weight, typeof number === "number" ? number : NaN);
    if (problem !== undefined) return problem;
  }
  return undefined;
};

function isList(value: unknown, most: number, isRight: (one: string) => boolean): boolean {
  return Array.isArray(value) && value.length <= most &&
    value.every((one) => typeof one === "string" && isRight(one));
}

function rule(
  hint: keyof ClientHints,
  shape: HintShape,
  problem: Check,
  names: { readonly headers: readonly string[]; readonly fields: readonly string[] },
): HintRule {
  return { hint, shape, problem, ...names };
}

/** Every hint. */
export const hintRules: readonly HintRule[] = [
  rule("worker", "text", worker, {
    headers: ["x-pixii-worker", "x-dynamo-worker-instance-id"],
    fields: ["worker", "backend_instance_id", "decode_worker_id"],
  }),
  rule("prefillWorker", "text", worker, {
    headers: ["x-pixii-prefill-worker", "x-dynamo-prefill-instance-id"],
    fields: ["prefill_worker_id"],
  }),
  rule("dpRank", "number", integer(0, 65_535), {
    headers: ["x-pixii-dp-rank", "x-dynamo-dp-rank"],
    fields: ["dp_rank"],
  }),
  rule("policy", "text", word(policies), { headers: ["x-pixii-policy"], fields: ["policy"] }),
  rule("priority", "number", integer(-1000, 1000), {
    headers: ["x-pixii-priority", "x-dynamo-request-priority"],
    fields: ["priority"],
  }),
  rule("session", "text", name, {
    headers: ["x-pixii-session", "x-dynamo-session-id"],
    fields: ["session"],
  }),
  rule("sessionMode", "text", word(sessionModes), {
    headers: ["x-pixii-session-mode"],
    fields: ["session_mode"],
  }),
  rule("sessionTtlMs", "number", integer(0, dayMs), {
    headers: ["x-pixii-session-ttl-ms"],
    fields: ["session_ttl_ms"],
  }),
  rule("allow", "list", workers, { headers: ["x-pixii-allow"], fields: ["allow"] }),
  rule("deny", "list", workers, { headers: ["x-pixii-deny"], fields: ["deny"] }),
  rule("require", "list", terms(), { headers: ["x-pixii-require"], fields: ["require"] }),
  rule("tolerate", "list", terms(everyTaint), {
    headers: ["x-pixii-tolerate"],
    fields: ["tolerate"],
  }),
  rule("tenant", "text", name, { headers: ["x-pixii-tenant"], fields: ["tenant"] }),
  rule("weights", "numbers", weights, { headers: ["x-pixii-weights"], fields: ["weights"] }),
  rule("queueMs", "number", integer(0, dayMs), {
    headers: ["x-pixii-queue-timeout-ms"],
    fields: ["queue_timeout_ms"],
  }),
  rule("timeoutMs", "number", integer(1, dayMs), {
    headers: ["x-pixii-timeout-ms"],
    fields: ["timeout_ms"],
  }),
];
