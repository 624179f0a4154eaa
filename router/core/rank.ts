import type { LoadReport, ModelCard, WorkerRank } from "@pixii/wire";
import type { HashProof } from "./hash_proofs.ts";
import type { Doubt } from "./doubt.ts";
import type { TierOwners } from "./prefix_index.ts";
import type { RankLoad } from "./rank_load.ts";

/** One worker rank of one model, as decisions see it. */
export interface Rank {
  /** `workerRankText` of `worker`. */
  readonly key: string;
  readonly worker: WorkerRank;
  readonly load: RankLoad;
  /** Whose blocks count for it. */
  readonly owners: TierOwners;
  /** Event sources behind `owners`. */
  readonly sources: readonly string[];
  card: ModelCard;
  /** The latest. */
  report: LoadReport | undefined;
  /** Its weights are not those that most workers of the name have: it gets no work. */
  isStranger: boolean;
  /** The model's turn at which it was last chosen, from 1; 0 for never. */
  lastTurn: number;
  /** What its card proves of its block hashes. */
  proof?: HashProof;
  /** How much its blocks count, where not in full. */
  doubt?: Doubt | undefined;
}
