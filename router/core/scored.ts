import type { Overlap } from "@pixii/wire";
import type { Rank } from "./rank.ts";

/** One candidate of a decision. */
export interface Scored {
  readonly rank: Rank;
  /** In blocks of the rank's own size. */
  readonly overlap: Overlap;
  /** They sum to `cost`. */
  readonly terms: Record<string, number>;
  cost: number;
}

/** Adds a term. */
export function addTerm(scored: Scored, name: string, value: number): void {
  scored.terms[name] = value;
  scored.cost += value;
}
