/** Times and bounds of an event stream. */
export const streamLimits = {
  /** A report may be ahead of the batches for this long; then the last batch was lost. */
  lostLastMs: 100,
  /** Wait after the first failed snapshot; doubles with each. */
  backoffMs: 100,
  /** Longest wait between two tries. */
  longestBackoffMs: 10_000,
  /** Failures in a row after which the old blocks no longer count. */
  mostFailures: 6,
  /** Wait before a stream that was given up is tried again: for want of a snapshot, or of room. */
  failedRetryMs: 5_000,
  fullRetryMs: 30_000,
  /** Least time between two snapshots because of contradictory events. */
  anomalyEveryMs: 5_000,
  /** Former epochs remembered, so that a late batch of one does not bring it back. */
  formerEpochs: 8,
} as const;
