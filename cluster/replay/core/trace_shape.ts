import type { ReplayRequest, Trace } from "./replay_request.ts";

/** Which requests of a trace are taken. */
export const traceParts = ["all", "first-half", "second-half", "odd", "even"] as const;
/** Which requests of a trace are taken. */
export type TracePart = typeof traceParts[number];

/** A part of a trace, from time 0 on: choices made on one half can be confirmed on the other. */
export function partOf(trace: Trace, part: TracePart): Trace {
  if (part === "all") return trace;
  const { requests } = trace;
  const half = Math.floor(requests.length / 2);
  const taken = part === "first-half"
    ? requests.slice(0, half)
    : part === "second-half"
    ? requests.slice(half)
    : requests.filter((_, i) => i % 2 === (part === "odd" ? 1 : 0));
  const startMs = taken[0]?.atMs ?? 0;
  return { ...trace, requests: taken.map((one) => ({ ...one, atMs: one.atMs - startMs })) };
}

/** Spreads arrivals that a trace gives in batches: each comes up to `jitterMs` later, uniformly. */
export function jittered(trace: Trace, jitterMs: number, draw: () => number): Trace {
  if (jitterMs === 0) return trace;
  const requests = trace.requests.map((one): ReplayRequest => ({
    ...one,
    atMs: one.atMs + jitterMs * draw(),
  })).sort((a, b) => a.atMs - b.atMs);
  return { ...trace, requests };
}

/** Milliseconds from the first to the last request; at least 1. */
export function spanMs({ requests }: Trace): number {
  return Math.max(1, requests[requests.length - 1].atMs - requests[0].atMs);
}

/** Prompt tokens of all requests. */
export function inputTokens({ requests }: Trace): number {
  return requests.reduce((sum, one) => sum + one.inputTokens, 0);
}
