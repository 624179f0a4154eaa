import { bestSplit, noWorkers, rateOf, sizeOf } from "./capacity/need.ts";
import type { Counts } from "./capacity/need.ts";
import type { ModelWish } from "./model_planner.ts";
import type { Rest } from "./nap.ts";
import type { ModelRules } from "./rules.ts";

/** One model's wish with its rules. */
export interface Wisher {
  readonly rules: ModelRules;
  readonly wish: ModelWish;
  /** Of a model that may sleep: none of its GPUs is its own. */
  readonly rest?: Rest;
  /** An operator wants these numbers and no others. */
  readonly isPinned?: boolean;
}

/**
 * Counts of every model within the budget. Everybody has the least it must have; what is left goes GPU by GPU to the model
 * with the largest priority that still wants one, among equals to the one that serves the smallest share of its requests.
 * Pinned models come first of all. Of models that may sleep, one that is idle comes behind all that are asked for; those that
 * are asked for alike take turns.
 */
export function shareBudget(wishers: readonly Wisher[], budgetGpus: number): readonly Counts[] {
  const wanted = wishers.reduce((sum, { wish }) => sum + sizeOf(wish.want), 0);
  if (wanted <= budgetGpus) return wishers.map(({ wish }) => wish.want);
  const given = wishers.map(({ rules, wish, rest }) =>
    rest === undefined ? Math.min(sizeOf(wish.want), sizeOf(rules.least)) : 0
  );
  let left = budgetGpus - given.reduce((sum, one) => sum + one, 0);
  while (left > 0) {
    let next: number | undefined;
    wishers.forEach(({ wish }, i) => {
      if (given[i] >= sizeOf(wish.want)) return;
      if (next === undefined || comesBefore(wishers, given, i, next)) next = i;
    });
    if (next === undefined) break;
    given[next] += 1;
    left -= 1;
  }
  return wishers.map((wisher, i) => {
    // Half of what serves anything is of use to nobody.
    const isTooFew = wisher.rest !== undefined && given[i] < wisher.rest.fewest;
    return isTooFew ? noWorkers : countsWith(wisher, given[i]);
  });
}

function comesBefore(
  wishers: readonly Wisher[],
  given: readonly number[],
  a: number,
  b: number,
): boolean {
  const { rules, rest, isPinned = false } = wishers[a];
  const other = wishers[b];
  if (isPinned !== (other.isPinned ?? false)) return isPinned;
  const isIdle = rest?.isIdle ?? false;
  if (isIdle !== (other.rest?.isIdle ?? false)) return !isIdle;
  if (rules.priority !== other.rules.priority) return rules.priority > other.rules.priority;
  const [mine, theirs] = [servedShare(wishers[a], given[a]), servedShare(other, given[b])];
  if (mine !== theirs) return mine < theirs;
  if (rest === undefined || other.rest === undefined) return false;
  if (rest.turn !== other.rest.turn) return rest.turn < other.rest.turn;
  return rest.rankMs < other.rest.rankMs;
}

function servedShare(wisher: Wisher, gpus: number): number {
  const { wish, rest } = wisher;
  if (rest !== undefined && !rest.isIdle && gpus < rest.fewest) return 0;
  if (wish.capacity === undefined || wish.planned === undefined || wish.planned.rate === 0) {
    return 1;
  }
  return rateOf(wish.capacity, countsWith(wisher, gpus), wish.planned) / wish.planned.rate;
}

/** The counts of a model that has fewer GPUs than it wants. */
function countsWith({ rules, wish }: Wisher, gpus: number): Counts {
  if (gpus >= sizeOf(wish.want)) return wish.want;
  if (rules.layout === "both") return { prefill: 0, decode: 0, both: gpus };
  if (wish.capacity === undefined || wish.planned === undefined) {
    const prefill = Math.min(wish.want.prefill, Math.ceil(gpus / 2));
    return { prefill, decode: gpus - prefill, both: 0 };
  }
  const prefill = Math.min(rules.least.prefill, gpus);
  const least = { prefill, decode: Math.min(rules.least.decode, gpus - prefill), both: 0 };
  return bestSplit(wish.capacity, wish.planned, { gpus, least });
}
