import { sizeOf } from "./capacity/need.ts";
import type { Counts } from "./capacity/need.ts";
import type { PlanMove } from "./plan_record.ts";

/** Why a start is left out for now, in words. */
export const noRoom = "it waits for a GPU: one that was told to end holds it until it is gone";

/** A model that may start workers. */
export interface Starter {
  readonly have: Counts;
  readonly want: Counts;
  /** Requests wait for it and it has no worker. */
  readonly wakes: boolean;
}

/**
 * How many workers each model may start now, so that all that run and will run are never more than the budget: one that is
 * told to end holds its GPU until it is gone. Models that wake come first, then in their order. O(models).
 */
export function startRooms(starters: readonly Starter[], freeGpus: number): readonly number[] {
  const rooms = starters.map(() => 0);
  let free = Math.max(0, freeGpus);
  for (const isWaking of [true, false]) {
    starters.forEach(({ have, want, wakes }, i) => {
      if (wakes !== isWaking) return;
      rooms[i] = Math.min(free, Math.max(0, sizeOf(want) - sizeOf(have)));
      free -= rooms[i];
    });
  }
  return rooms;
}

/** The moves without the starts that have no room yet. */
export function withinRoom(moves: readonly PlanMove[], room: number): PlanMove[] {
  let left = room;
  return moves.filter(({ kind }) => kind !== "start" || left-- > 0);
}
