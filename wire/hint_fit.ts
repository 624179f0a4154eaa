import { termMatches } from "./placement_term.ts";
import type { ModelCard } from "./presence.ts";
import type { RouteHints } from "./route.ts";

/** Which hint keeps a request from a worker: named workers, required labels, or a taint it does not tolerate. */
export type HintMisfit = "excluded" | "labels" | "tainted";

/** The request tolerates every taint. */
export const everyTaint = "*";

/** Why a worker rank may not take a request with these hints, by its card alone; nothing where it may. */
export function hintMisfit(
  card: ModelCard,
  hints: RouteHints | undefined,
  dpRank?: number,
): HintMisfit | undefined {
  const { instance, labels = [], taints = [] } = card;
  if (hints !== undefined) {
    const isExcluded = (hints.worker !== undefined && hints.worker !== instance) ||
      (hints.dpRank !== undefined && dpRank !== undefined && hints.dpRank !== dpRank) ||
      (hints.dpRank !== undefined && hints.dpRank >= card.dpSize) ||
      hints.allow?.includes(instance) === false ||
      hints.deny?.includes(instance) === true;
    if (isExcluded) return "excluded";
    const isLabelled = hints.require?.every((asked) =>
      labels.some((label) => termMatches(label, asked))
    ) ?? true;
    if (!isLabelled) return "labels";
  }
  if (taints.length === 0) return undefined;
  const tolerated = hints?.tolerate ?? [];
  if (tolerated.includes(everyTaint)) return undefined;
  const isTolerated = taints.every((taint) => tolerated.some((asked) => termMatches(taint, asked)));
  return isTolerated ? undefined : "tainted";
}
