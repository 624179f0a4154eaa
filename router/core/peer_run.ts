import type { InstanceId, RouteRequest } from "@pixii/wire";
import type { Decision } from "./decide.ts";
import type { Model } from "./model.ts";
import { timesOf } from "./ttft_cost.ts";
import type { TtftWeights } from "./ttft_cost.ts";

/** Another block manager that holds more of a prompt than the chosen worker and its own one. */
export interface PeerRun {
  readonly kvbm: InstanceId;
  /** Blocks from the prompt's first on. */
  readonly blocks: number;
  /** What the worker takes to compute those that it lacks, by its profile, else by the rate it reports. */
  readonly computeMs: number;
}

/**
 * The block manager with the longest run of the prompt among those of the model's other workers whose blocks have the same
 * layout; nothing where none holds more than the chosen worker has below and on its device. Of equals the first by name.
 * The index is not asked again. O(block managers); nothing at all where all workers share one.
 */
export function peerRun(
  model: Model,
  request: RouteRequest,
  { decision: { rank, overlap, coverage }, weights }: {
    readonly decision: Pick<Decision, "rank" | "overlap" | "coverage">;
    readonly weights: { readonly ttft: TtftWeights };
  },
): PeerRun | undefined {
  const { kvbm: own, blockSize, layoutFingerprint } = rank.card;
  if (own === undefined) return undefined;
  const known = overlap.device + overlap.host + overlap.disk;
  const best = coverage.longest(blockSize, {
    least: known,
    most: Math.floor((request.isl - 1) / blockSize),
    isMeant: (kvbm) =>
      kvbm !== own &&
      model.ranks.some(({ card }) =>
        card.kvbm === kvbm && card.blockSize === blockSize &&
        card.layoutFingerprint === layoutFingerprint
      ),
  });
  if (best === undefined) return undefined;
  const lacking = (best.blocks - known) * blockSize;
  const times = timesOf(rank, weights.ttft);
  return { ...best, computeMs: times.prefillMs(lacking, known * blockSize) };
}
