import type { Failure, Result } from "@pixii/wire";
import type { Decision } from "./decide.ts";

/** What came of a request that may wait for the worker that suits it best. */
export type Attempt =
  | { readonly kind: "placed"; readonly decision: Decision }
  /** The rank of this key suits it best and is full, or others wait for it; there it will compute for `workMs`. */
  | { readonly kind: "waits"; readonly rank: string; readonly workMs: number }
  | { readonly kind: "refused"; readonly error: Failure };

/** A decision that waits for nobody, as an attempt. */
export function attemptOf(
  decision: Result<Decision>,
): Exclude<Attempt, { readonly kind: "waits" }> {
  return decision.ok
    ? { kind: "placed", decision: decision.value }
    : { kind: "refused", error: decision.error };
}
