import { errorCodes, fail, ok } from "@pixii/wire";
import type { Failure, Result } from "@pixii/wire";
import type { RequestHandler } from "./bus.ts";
import { checkPayload } from "./bus_status.ts";
import type { Log } from "./log.ts";

/** Thrown by a handler that passes another's failure on: the caller gets exactly this failure. */
export class ReplyFailure extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.name = "ReplyFailure";
    this.failure = failure;
  }
}

/** What runs a request handler: its subject pattern's signal, and where errors are logged. */
export interface HandlerContext {
  readonly subject: string;
  readonly signal: AbortSignal;
  readonly log: Log;
}

/** Runs `handler` and hands its result to `reply` once; what it throws becomes `internal`. Makes no promise where the handler makes none. */
export function runHandler(
  handler: RequestHandler,
  payload: Uint8Array,
  context: HandlerContext,
  reply: (result: Result<Uint8Array>) => void,
): void {
  const { subject, signal, log } = context;
  const failed = (error: unknown) => reply(failureOf(error, subject, log));
  const done = (answer: Uint8Array) => {
    const fits = checkPayload(`the caller of ${subject}`, answer);
    reply(fits.ok ? ok(answer) : fits);
  };
  try {
    const answer = handler(payload, { subject, signal });
    if (answer instanceof Uint8Array) done(answer);
    else answer.then(done).catch(failed);
  } catch (error) {
    failed(error);
  }
}

function failureOf(error: unknown, subject: string, log: Log): Result<never> {
  if (error instanceof ReplyFailure) return { ok: false, error: error.failure };
  log.error("request handler threw", { subject, error });
  return fail("internal", `Cannot answer ${subject}: its handler failed; its log says why`);
}

/** A failure as the payload of a reply. */
export function failureBytes(failure: Failure): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(failure));
}

/** The failure in a reply; `internal` where the payload is none. */
export function readFailure(payload: Uint8Array): Result<never> {
  try {
    const read: Partial<Failure> = JSON.parse(new TextDecoder().decode(payload));
    const { code, message, param, retryAfterMs } = read;
    if (code !== undefined && errorCodes.includes(code) && typeof message === "string") {
      return fail(code, message, {
        ...(typeof param === "string" ? { param } : {}),
        ...(typeof retryAfterMs === "number" ? { retryAfterMs } : {}),
      });
    }
  } catch (error) {
    return fail("internal", `Cannot read a failed reply: ${String(error)}`);
  }
  return fail("internal", "Cannot read a failed reply: it names no known error");
}
