import type { ErrorCode } from "./error.ts";

/** An operating error as a value: a code from the closed list of `error.ts` and a sentence for a person. */
export interface Failure {
  readonly code: ErrorCode;
  /** One sentence: what was tried, the rule, what was seen, what to do. Never holds a secret. */
  readonly message: string;
  /** The request field that is wrong, in the client's spelling (`messages[0].role`). */
  readonly param?: string;
  /** Milliseconds after which a retry makes sense, where that is known. */
  readonly retryAfterMs?: number;
}

/** The outcome of an operation that can fail in ways a running system must expect. */
export type Result<T> = { readonly ok: true; readonly value: T } | {
  readonly ok: false;
  readonly error: Failure;
};

/** A successful outcome. */
export function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** A failed outcome with a code of the closed list. */
export function fail(
  code: ErrorCode,
  message: string,
  more: Omit<Failure, "code" | "message"> = {},
): { readonly ok: false; readonly error: Failure } {
  return { ok: false, error: { code, message, ...more } };
}
