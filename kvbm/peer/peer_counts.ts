/** Why a block that was wanted of a peer did not come. */
export const pullFailures = [
  "gone",
  "damaged",
  "cut",
  "unreachable",
  "refused",
  "late",
  "full",
] as const;
/** Why a block that was wanted of a peer did not come. */
export type PullFailure = typeof pullFailures[number];

/** What went between this block manager and others since it was started. */
export interface PeerCounts {
  /** Blocks and bytes that came from peers, and those that were given to them. */
  pulledBlocks: number;
  pulledBytes: number;
  givenBlocks: number;
  givenBytes: number;
  /** Blocks that were asked for again behind a cut. */
  resumed: number;
  readonly failed: Record<PullFailure, number>;
  /** Choices between pulling and computing. */
  readonly chosen: Record<"pull" | "compute", number>;
}

/** Nothing yet. */
export function newPeerCounts(): PeerCounts {
  return {
    ...{ pulledBlocks: 0, pulledBytes: 0, givenBlocks: 0, givenBytes: 0, resumed: 0 },
    failed: { gone: 0, damaged: 0, cut: 0, unreachable: 0, refused: 0, late: 0, full: 0 },
    chosen: { pull: 0, compute: 0 },
  };
}
