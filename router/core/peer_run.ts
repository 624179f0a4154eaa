import type { InstanceId, ModelHash, Overlap, RouteRequest } from "@pixii/wire";
import type { Model } from "./model.ts";
import { overlapStride } from "./prefix_index.ts";
import type { PrefixIndex, TierOwners } from "./prefix_index.ts";
import type { Rank } from "./rank.ts";
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

/** Where to look. */
export interface PeerGround {
  readonly weights: { readonly ttft: TtftWeights };
  indexOf(model: ModelHash, blockSize: number): PrefixIndex | undefined;
}

/**
 * The block manager with the longest run of the prompt among those of the model's other workers whose blocks have the same
 * layout; nothing where none holds more than the chosen worker has below and on its device. Of equals the first by name.
 * O(block managers x overlap); nothing at all where all workers share one.
 */
export function peerRun(
  model: Model,
  request: RouteRequest,
  { rank, overlap, ground }: {
    readonly rank: Rank;
    readonly overlap: Overlap;
    readonly ground: PeerGround;
  },
): PeerRun | undefined {
  const { kvbm: own, blockSize } = rank.card;
  const owners = own === undefined ? undefined : othersOf(model, rank, own);
  const list = request.hashes.find((entry) => entry.blockSize === blockSize)?.list;
  const index = ground.indexOf(model.hash, blockSize);
  if (owners === undefined || owners.size === 0 || list === undefined || index === undefined) {
    return undefined;
  }
  const held = new Uint32Array(overlapStride * owners.size);
  index.overlaps(list, [...owners.values()], held);
  const most = Math.floor((request.isl - 1) / blockSize);
  let best: { readonly kvbm: InstanceId; readonly blocks: number } | undefined;
  for (const [i, kvbm] of [...owners.keys()].entries()) {
    const at = overlapStride * i;
    const blocks = Math.min(most, held[at] + held[at + 1] + held[at + 2]);
    if (blocks > (best?.blocks ?? overlap.device + overlap.host + overlap.disk)) {
      best = { kvbm, blocks };
    }
  }
  if (best === undefined) return undefined;
  const known = overlap.device + overlap.host + overlap.disk;
  const lacking = (best.blocks - known) * blockSize;
  const times = timesOf(rank, ground.weights.ttft);
  return { ...best, computeMs: times.prefillMs(lacking, known * blockSize) };
}

/** The tiers of the other block managers with blocks of a rank's layout, by name. */
function othersOf(
  model: Model,
  { card: { layoutFingerprint } }: Rank,
  own: InstanceId,
): Map<InstanceId, TierOwners> | undefined {
  let others: Map<InstanceId, TierOwners> | undefined;
  for (const { card, owners } of model.ranks) {
    const { kvbm } = card;
    if (kvbm === undefined || kvbm === own || card.layoutFingerprint !== layoutFingerprint) {
      continue;
    }
    others ??= new Map();
    others.set(kvbm, { host: owners.host, disk: owners.disk });
  }
  return others === undefined
    ? undefined
    : new Map([...others].toSorted(([a], [b]) => a < b ? -1 : 1));
}
