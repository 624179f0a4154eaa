import type { Overlap } from "@pixii/wire";

/** How much of a rank's blocks count, by tier, each from 0 to 1. */
export interface Doubt {
  readonly device: number;
  readonly host: number;
  readonly disk: number;
}

/** What a rank is credited with of what the index says, in whole blocks; all of it without a doubt. */
export function believed(overlap: Overlap, doubt: Doubt | undefined): Overlap {
  if (doubt === undefined) return overlap;
  return {
    device: Math.floor(overlap.device * doubt.device),
    host: Math.floor(overlap.host * doubt.host),
    disk: Math.floor(overlap.disk * doubt.disk),
  };
}
