/** One worker as the pool knows it. */
export interface PoolClient {
  readonly number: number;
  /** Index of the layout of its blocks. */
  readonly layout: number;
  /** Slots it may write. */
  readonly reserved: Set<number>;
  /** Slots it may read, by lease, first block first. */
  readonly leases: Map<number, Uint32Array>;
}

/** One kind of blocks: those of one layout fingerprint. */
export interface PoolLayout {
  readonly hi: number;
  readonly lo: number;
  /** Tokens of a block. */
  readonly blockSize: number;
  readonly slotPages: number;
  /** Index of the size of its slots. */
  readonly size: number;
}
