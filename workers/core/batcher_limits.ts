/** Bounds of a batcher. */
export interface BatcherLimits {
  readonly maxSeqs: number;
  readonly maxWaiting: number;
  /** Most tokens of a sequence; at most the cells of the cache. */
  readonly contextLength: number;
  readonly vocabSize: number;
  readonly blockSize: number;
  /** Tokens of a chunk beside decodes and alone; multiples of the block size. */
  readonly chunkBeside: number;
  readonly chunkAlone: number;
  /** Reuse only KV computed by prefill. */
  readonly deterministic: boolean;
  readonly eosTokenIds: readonly number[];
}
