import { errors } from "@pixii/wire";
import type { Failure } from "@pixii/wire";

/** An error body as OpenAI's clients read it. */
export function errorShape(failure: Failure): Record<string, unknown> {
  return {
    error: {
      message: failure.message,
      type: errors[failure.code].type,
      param: failure.param ?? null,
      code: failure.code,
    },
  };
}
