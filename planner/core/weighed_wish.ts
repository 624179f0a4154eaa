import { rateOf, sameCounts, sizeOf } from "./capacity/need.ts";
import type { Counts } from "./capacity/need.ts";
import type { ModelWish } from "./model_planner.ts";
import type { PlanCandidate, PlanMove } from "./plan_record.ts";

/** So many times what is planned for is worth serving: a split that leaves one job less room than the other is a risk. */
const usefulRoom = 1.2;

/** What could be done: keep what there is, what is wished for and, where it differs, what the budget leaves of that. */
export function candidatesOf(
  wish: ModelWish,
  have: Counts,
  want: Counts,
): readonly PlanCandidate[] {
  const of = (name: PlanCandidate["name"], counts: Counts): PlanCandidate => {
    const { capacity, planned } = wish;
    const rate = capacity === undefined || planned === undefined
      ? 0
      : rateOf(capacity, counts, planned);
    const asked = planned?.rate ?? 0;
    return {
      name,
      counts,
      gpus: sizeOf(counts),
      goodput: asked === 0 ? 1 : Math.min(1, rate / asked),
    };
  };
  const all = [of("keep", have), of("need", wish.want)];
  return sameCounts(wish.want, want) ? all : [...all, of("budget", want)];
}

/** What keeps a plan from more, or from a move, in words; empty where nothing does. */
export function boundOf(wish: ModelWish, want: Counts, moves: readonly PlanMove[]): string {
  if (!sameCounts(wish.want, want)) return "the GPU budget";
  if (wish.bound !== "") return wish.bound;
  return moves.length === 0 ? "no move that may be made leads there" : "";
}

/**
 * How much of what is planned for is served, up to the room that is worth a move, and how much more with other counts. While
 * the mix turns all room is worth it: the half of it that is not seen yet will ask for it.
 */
export function roomOf(wish: ModelWish, have: Counts, want: Counts): readonly [number, number] {
  const { capacity, planned } = wish;
  if (capacity === undefined || planned === undefined || planned.rate === 0) return [1, 0];
  const of = (counts: Counts) =>
    Math.min(
      wish.isTurning === true ? Infinity : usefulRoom,
      rateOf(capacity, counts, planned) / planned.rate,
    );
  return [of(have), of(want) - of(have)];
}
