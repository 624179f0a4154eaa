/** What is expected of a peer that was never measured: a link of 10 Gbit/s in one room, worth trying. */
const assumedBytesPerMs = 1_250_000;
const assumedWaitMs = 1;
/** The assumption weighs as much as a transfer of this size, so that a first small one does not decide. */
const priorBytes = 2 * 1024 * 1024;
/** What was measured counts half after this long: a link that was slow once is tried again. */
const halfLifeMs = 30_000;

/** What a pull took. */
export interface SpeedSample {
  /** Until the first block was on its way, where nothing else was before it. */
  readonly waitMs: number | undefined;
  readonly bytes: number;
  readonly movingMs: number;
}

/** How fast blocks come from one peer: moving estimates, updated by every pull, falling back to an assumption with time. */
export class PeerSpeed {
  #bytes = 0;
  #ms = 0;
  #waits = 0;
  #waitMs = 0;
  #atMs: number;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** A pull ended, or a greeting (no bytes). O(1). */
  note({ waitMs, bytes, movingMs }: SpeedSample, nowMs: number): void {
    this.#fade(nowMs);
    this.#bytes += bytes;
    this.#ms += Math.max(0, movingMs);
    if (waitMs === undefined) return;
    this.#waits += 1;
    this.#waitMs += Math.max(0, waitMs);
  }

  /** Bytes a second while blocks move; > 0. */
  bytesPerSecond(nowMs: number): number {
    this.#fade(nowMs);
    const priorMs = priorBytes / assumedBytesPerMs;
    return (this.#bytes + priorBytes) / (this.#ms + priorMs) * 1000;
  }

  /** Milliseconds from the question to the first block; >= 0. */
  waitMs(nowMs: number): number {
    this.#fade(nowMs);
    return (this.#waitMs + assumedWaitMs) / (this.#waits + 1);
  }

  #fade(nowMs: number): void {
    const share = 0.5 ** (Math.max(0, nowMs - this.#atMs) / halfLifeMs);
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#bytes *= share;
    this.#ms *= share;
    this.#waits *= share;
    this.#waitMs *= share;
  }
}
