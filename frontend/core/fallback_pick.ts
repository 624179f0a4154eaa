import { fail, hintMisfit, ok } from "@pixii/wire";
import type { ModelCard, Result, RouteHints, WorkerRank } from "@pixii/wire";

/** One worker as the fallback sees it. */
export interface FallbackCandidate {
  readonly card: ModelCard;
  /** Requests at the worker: ours, or all where a fresh report tells. */
  readonly requests: number;
  /** Takes new work: heard of lately and not draining. */
  readonly isOpen: boolean;
}

/** Least requests in flight among the workers that take new work and that the hints let through; ties by `chance` in [0, 1). */
export function pickFallback(
  candidates: readonly FallbackCandidate[],
  hints: RouteHints,
  chance: () => number,
): Result<WorkerRank> {
  const open = candidates.filter((one) => one.isOpen && isWanted(one.card, hints));
  if (open.length === 0) {
    return fail(
      "no_worker",
      `Cannot place the request: none of ${candidates.length} workers takes it now; try again`,
    );
  }
  const fewest = Math.min(...open.map((one) => one.requests));
  const best = open.filter((one) => one.requests === fewest);
  const { card } = best[Math.floor(chance() * best.length)];
  const dpRank = hints.dpRank ?? Math.floor(chance() * card.dpSize);
  return ok({ instance: card.instance, dpRank });
}

function isWanted(card: ModelCard, hints: RouteHints): boolean {
  return card.role !== "prefill" && hintMisfit(card, hints) === undefined;
}
