import type { InstanceId, KvEventBatch, ModelHash, Tier } from "@pixii/wire";

/** Who publishes one ordered run of KV events: numbers count within it. */
export interface EventSource {
  readonly owner: InstanceId;
  readonly model: ModelHash;
  readonly dpRank: number;
  readonly tier: Tier;
  /** Tokens of its blocks. */
  readonly blockSize: number;
}

/** A source as one map key; a batch names its source with the same fields. */
export function sourceKey(
  source: Pick<KvEventBatch, "owner" | "model" | "dpRank" | "tier">,
): string {
  return `${source.owner}.${source.model}.${source.dpRank}.${source.tier}`;
}
