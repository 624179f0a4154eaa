import type { InstanceId } from "@pixii/wire";
import type { HashProof } from "./core/hash_proofs.ts";
import type { Rank } from "./core/rank.ts";
import { replicaDigest } from "./core/replica.ts";
import type { ReplicaDigest } from "./core/replica.ts";
import type { RouterState } from "./core/router_state.ts";
import type { TrustState } from "./core/trust.ts";

/** How far a rank is believed, as `/workers` shows it. */
export interface TrustView {
  /** What its card proves of its block hashes. */
  readonly hashes: HashProof;
  /** Trust in the event source of each tier, and audits that came out. */
  readonly sources: Readonly<
    Record<string, { readonly trust: TrustState; readonly audits: number }>
  >;
  /** Its blocks are not told of but supposed, by decisions. */
  readonly isSupposed: boolean;
}

/** What `/replica` answers: equal digests say that two routers are in step. */
export interface ReplicaView extends ReplicaDigest {
  readonly router: InstanceId;
  readonly peers: readonly InstanceId[];
}

/** How far a rank is believed. */
export function trustView({ truth, streams }: RouterState, rank: Rank): TrustView {
  const sources: Record<string, { trust: TrustState; audits: number }> = {};
  for (const key of rank.sources) {
    const tier = streams.get(key)?.stream.source.tier;
    const facts = truth.audits.factsOf(key);
    if (tier !== undefined && facts !== undefined) sources[tier] = { ...facts };
  }
  const isSupposed = rank.sources.some((key) => truth.approx.has(key));
  return { hashes: rank.proof ?? "none", sources, isSupposed };
}

/** What this router has applied, in short, and who its siblings are. */
export function replicaView(state: RouterState, peers: ReadonlySet<InstanceId>): ReplicaView {
  return { router: state.router, peers: [...peers].sort(), ...replicaDigest(state) };
}
