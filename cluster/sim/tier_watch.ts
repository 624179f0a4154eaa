import type { Clock } from "@pixii/runtime";
import type { SimCluster } from "./sim_cluster.ts";
import { simModelHash } from "./sim_shape.ts";

/** A heartbeat, its way, the patience of a stream and the fetch of a snapshot: within this a loss is seen. */
const missedMs = 3_000;

/** What a watch of the host tier's events looks at. */
export interface TierWatchParts {
  readonly cluster: SimCluster;
  readonly clock: Pick<Clock, "nowMs">;
  /** True where a fault hit one of these programs within so many ms. */
  readonly isHit: (names: readonly string[], withinMs: number) => boolean;
  broken(message: string): void;
}

/** Remembers how far the block manager had come, to see that no router goes on believing less. */
export class TierWatch {
  readonly #parts: TierWatchParts;
  #told: { readonly atMs: number; readonly instance: string; readonly number: number }[] = [];

  constructor(parts: TierWatchParts) {
    this.#parts = parts;
  }

  /** Nobody who says that he knows all has missed a batch for long, where nothing is wrong. */
  look(): void {
    const { cluster, clock, isHit, broken } = this.#parts;
    const { tier } = cluster;
    const nowMs = clock.nowMs();
    if (tier === undefined) return;
    const old = this.#told.findLast(({ atMs }) => atMs <= nowMs - missedMs);
    this.#told = this.#told.filter(({ atMs }) => atMs >= (old?.atMs ?? 0));
    const number = tier.streams.numberOf(simModelHash);
    if (number !== undefined) this.#told.push({ atMs: nowMs, instance: tier.instance, number });
    if (old?.instance !== tier.instance) return;
    for (const { name } of cluster.programs) {
      for (const { stream } of cluster.router(name)?.state.streams.all() ?? []) {
        const { source: { owner }, state, epoch, number: known } = stream;
        const isStale = owner === tier.instance && epoch === tier.instance && state === "exact" &&
          known < old.number;
        if (!isStale || isHit([name, "kvbm-0"], missedMs)) continue;
        broken(
          `${name} believes that it knows all of kvbm-0, and missed ${old.number - known} batches`,
        );
      }
    }
  }
}
