import type { InstanceId } from "@pixii/wire";
import type { TierOwners } from "./prefix_index.ts";
import type { Rank } from "./rank.ts";

/**
 * Everybody who may hold a model's blocks of one size. One list for all requests, whoever may take them: the index links
 * its candidates to their owners once and not per request.
 */
export interface Candidates {
  readonly ranks: readonly Rank[];
  /** Block managers by name, where the ranks have several; none where they share one. */
  readonly managers: readonly InstanceId[];
  /** What the index is asked for: the ranks, then the managers alone. */
  readonly owners: readonly TierOwners[];
}

/** The candidates by block size. O(ranks). */
export function candidatesOf(ranks: readonly Rank[]): ReadonlyMap<number, Candidates> {
  const bySize = Map.groupBy(ranks, ({ card }) => card.blockSize);
  return new Map(Array.from(bySize, ([blockSize, own]) => [blockSize, ofSize(own)]));
}

function ofSize(ranks: readonly Rank[]): Candidates {
  const below = new Map<InstanceId, TierOwners>();
  for (const { card, owners: { host, disk } } of ranks) {
    if (card.kvbm !== undefined) below.set(card.kvbm, { host, disk });
  }
  const managers = below.size > 1 ? [...below.keys()].sort() : [];
  const owners = [
    ...ranks.map((rank) => rank.owners),
    ...managers.map((kvbm) => below.get(kvbm)!),
  ];
  return { ranks, managers, owners };
}
