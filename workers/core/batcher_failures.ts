import { fail } from "@pixii/wire";
import type { Failure } from "@pixii/wire";
import type { Sequence } from "./sequence.ts";

/** A sequence found no place in the cache, although the books say that it must. */
export function noRoom(sequence: Sequence): Failure {
  return fail(
    "engine_failed",
    `Cannot place a prompt of ${sequence.tokens.length} tokens in the cache; try again`,
  ).error;
}

/** The model gave no number to choose by. */
export function noLogit(): Failure {
  const message =
    "Cannot sample: the model gave no finite logit; its weights may be damaged, download it again";
  return fail("engine_failed", message).error;
}
