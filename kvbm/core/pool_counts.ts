/** What a pool has done since it was made. */
export interface PoolCounts {
  hits: number;
  misses: number;
  commits: number;
  duplicates: number;
  evictions: number;
  /** Slots wanted and not to be had: all was held. */
  refused: number;
  damaged: number;
}

/** The counts of a fresh pool. */
export function noPoolCounts(): PoolCounts {
  return { hits: 0, misses: 0, commits: 0, duplicates: 0, evictions: 0, refused: 0, damaged: 0 };
}
