import type { ModelHash } from "@pixii/wire";
import type { Candidates } from "./candidates.ts";
import type { Rank } from "./rank.ts";

/** A served model and the ranks that serve it. */
export interface Model {
  readonly hash: ModelHash;
  readonly name: string;
  /** In the order of their keys: equal states give equal decisions, whatever came first. */
  readonly ranks: readonly Rank[];
  readonly byKey: ReadonlyMap<string, Rank>;
  /** Who may hold its blocks, by block size. */
  readonly candidates: ReadonlyMap<number, Candidates>;
  /** Decisions made. */
  turn: number;
}

/** Marks the ranks whose weights are not the commonest; of several, the ones with the lowest rank key win. */
export function markStrangers(ranks: readonly Rank[]): void {
  const counts = new Map<string, number>();
  for (const { card } of ranks) {
    counts.set(card.modelDigest, (counts.get(card.modelDigest) ?? 0) + 1);
  }
  const most = Math.max(0, ...counts.values());
  const digest = [...counts].find(([, count]) => count === most)?.[0];
  for (const rank of ranks) rank.isStranger = rank.card.modelDigest !== digest;
}
