/** What a choice is made from. */
export interface PullTerms {
  /** Bytes of the blocks that would be pulled, and of those that the link brings before. */
  readonly bytes: number;
  readonly queuedBytes: number;
  /** How the link is measured: > 0, and >= 0. */
  readonly bytesPerSecond: number;
  readonly waitMs: number;
  /** What the worker would take to compute the blocks. */
  readonly computeMs: number;
}

/** Pull blocks or let them be computed, with the numbers of both sides. */
export interface PullChoice extends PullTerms {
  readonly verdict: "pull" | "compute";
  readonly pullMs: number;
}

/** Pulls where the last block is there before it would be computed: `wait + (queued + bytes) / rate < compute`. */
export function choosePull(terms: PullTerms): PullChoice {
  const { bytes, queuedBytes, bytesPerSecond, waitMs, computeMs } = terms;
  const pullMs = waitMs + (queuedBytes + bytes) / bytesPerSecond * 1000;
  return { ...terms, pullMs, verdict: pullMs < computeMs ? "pull" : "compute" };
}
