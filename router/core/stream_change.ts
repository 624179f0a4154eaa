import type { InstanceId } from "@pixii/wire";

/**
 * `new`: nothing was heard; `exact`: every batch up to `number` is applied; `behind`: something is missing, batches wait
 * and a snapshot is fetched while the old blocks still count; `degraded`: the blocks are given up (no room, or no
 * snapshot to be had) and count as none until a snapshot succeeds.
 */
export type StreamState = "new" | "exact" | "behind" | "degraded";

/** Why a snapshot is needed. */
export type GapCause = "late-join" | "gap" | "lost-last" | "anomaly" | "asked";

/** What became of a batch. */
export type BatchResult = "applied" | "buffered" | "duplicate" | "old-epoch" | "skipped";

/** A source's word of how far it has come: what batches of that epoch and block size say of themselves. */
export interface StreamWord {
  readonly epoch: InstanceId;
  readonly blockSize: number;
  /** Of its last batch; 0 where there was none. */
  readonly number: number;
}

/** What one input changed. */
export interface StreamChange {
  readonly result: BatchResult;
  /** Set where it made the stream fall behind. */
  readonly fell?: GapCause;
  /** True where it found no room in the index. */
  readonly isFull?: boolean;
}
