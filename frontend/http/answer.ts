import { errors } from "@pixii/wire";
import type { Failure } from "@pixii/wire";
import { errorShape } from "../openai/error_shape.ts";

/** Seconds a client should wait before it tries again, where the error does not say. */
const defaultRetrySeconds = 1;

/** A JSON answer. */
export function jsonAnswer(status: number, body: string, headers: Headers): Response {
  headers.set("content-type", "application/json");
  return new Response(body, { status, headers });
}

/** An error answer in OpenAI's shape, with `Retry-After` where a retry makes sense. */
export function errorAnswer(failure: Failure, headers: Headers): Response {
  const { status } = errors[failure.code];
  if (status === 429 || status === 503 || status === 529) {
    const seconds = failure.retryAfterMs === undefined
      ? defaultRetrySeconds
      : Math.max(1, Math.ceil(failure.retryAfterMs / 1000));
    headers.set("retry-after", String(seconds));
  }
  // The rest of a body that was given up on is not waited for.
  if (status === 408 || status === 413) headers.set("connection", "close");
  return jsonAnswer(status, JSON.stringify(errorShape(failure)), headers);
}
