import { fail } from "@pixii/wire";
import type { ErrorCode, Failure } from "@pixii/wire";
import type { RouteQueue } from "./route_queue.ts";
import type { Waiting } from "./waiting.ts";

/** What a request is told that waited too long: `timeout` where its own time is over, else `overloaded`; both say when to try again. */
export function timeOver(queue: RouteQueue, waiting: Waiting, nowMs: number): Failure {
  const waited = `it waited ${Math.round(nowMs - waiting.sinceMs)} ms for a worker with room`;
  const isOwn = waiting.deadlineMs <= nowMs;
  const code: ErrorCode = isOwn ? "timeout" : "overloaded";
  const retryAfterMs = queue.rate.waitMs(queue.size, nowMs);
  const seconds = Math.ceil(retryAfterMs / 1000);
  const text = isOwn
    ? `${waited}, and its time is over; allow more time`
    : `${waited}, as long as it may; try again in ${seconds} s`;
  return fail(code, `Cannot place the request: ${text}`, { retryAfterMs }).error;
}
