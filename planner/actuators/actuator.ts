import type { ModelCard, ModelHash, Result } from "@pixii/wire";
import { sizeOf } from "../core/capacity/need.ts";
import type { Counts } from "../core/capacity/need.ts";
import type { PlanMove } from "../core/plan_record.ts";

/** Moves of one model out of one decision. */
export interface ActOrder {
  /** Names the decision; the same order twice is followed once. */
  readonly id: string;
  /** Who decided. */
  readonly by: string;
  readonly model: { readonly name: string; readonly hash: ModelHash };
  /** Workers that there are, those on their way counted. */
  readonly have: Counts;
  readonly moves: readonly PlanMove[];
  /** Workers that there will be once the whole decision was followed, the moves that others make too. */
  readonly after: Counts;
  /** Why, for people. */
  readonly why: string;
  /** Asked before each of several wishes: a planner whose claim has run out meanwhile asks for nothing more. */
  readonly mayAct?: () => boolean;
  /** What its workers announce: with it a model that sleeps stays known. */
  readonly card?: ModelCard;
}

/**
 * Carries moves out. It answers when they are asked for, not when they are done: what comes of them is seen in load reports
 * and cards. Asking twice is as asking once, so that another planner may go on where one stopped.
 */
export interface Actuator extends AsyncDisposable {
  readonly name: string;
  /** Kinds of moves it can make; it is given no others. */
  readonly kinds: readonly PlanMove["kind"][];
  /** Fails as a value, `registry_unavailable` and the like; then nothing or a part was asked for. */
  apply(order: ActOrder): Promise<Result<void>>;
}

/** How many workers an order leads to. */
export function workersAfter({ have, moves }: ActOrder): number {
  const starts = moves.filter(({ kind }) => kind === "start").length;
  const stops = moves.filter(({ kind }) => kind === "stop").length;
  return Math.max(0, sizeOf(have) + starts - stops);
}

/** Workers by role once moves were made. */
export function countsAfter(have: Counts, moves: readonly PlanMove[]): Counts {
  const after = { ...have };
  const add = (role: keyof Counts, by: number) => {
    after[role] = Math.max(0, after[role] + by);
  };
  for (const move of moves) {
    if (move.kind === "start") add(move.role, 1);
    else if (move.kind === "stop") add(move.role, -1);
    else {
      add(move.from, -1);
      add(move.to, 1);
    }
  }
  return after;
}
