/** Bounds of a conversation about blocks. */
export interface TransferLimits {
  /** Reaching the other side, and being let in. */
  readonly dialMs: number;
  readonly greetMs: number;
  /** With blocks asked for, nothing arrives or is taken for this long: the link is cut. */
  readonly stallMs: number;
  /** An asker that says nothing for this long is gone. */
  readonly silentMs: number;
  /** Blocks that an asker may have asked for at a time, over all its questions. */
  readonly mostOpenBlocks: number;
  /** Bytes that an asker has on the way from one link; the giver holds no more than one block of them in its hand. */
  readonly windowBytes: number;
}

/** The bounds unless a test wants others. */
export const transferLimits: TransferLimits = {
  ...{ dialMs: 1_000, greetMs: 2_000, stallMs: 6_000, silentMs: 60_000 },
  ...{ mostOpenBlocks: 4_096, windowBytes: 16 * 1024 * 1024 },
};
