/** The hard cap of all indexes of a router together, in bytes of their memories. */
export class IndexBudget {
  readonly capacityBytes: number;
  #usedBytes = 0;
  #usedBlocks = 0;
  #evictedBlocks = 0;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
  }

  /** Bytes taken. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Bytes that still may be taken. */
  get freeBytes(): number {
    return this.capacityBytes - this.#usedBytes;
  }

  /** Block copies held by all indexes. */
  get usedBlocks(): number {
    return this.#usedBlocks;
  }

  /** Block copies forgotten for want of room, since the start. */
  get evictedBlocks(): number {
    return this.#evictedBlocks;
  }

  /** Takes room; false, and nothing taken, where there is none. */
  take(bytes: number): boolean {
    if (bytes > this.freeBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  /** Gives room back. */
  give(bytes: number): void {
    this.#usedBytes -= bytes;
    if (this.#usedBytes < 0) throw new Error("more bytes were given back than taken");
  }

  /** An index tells of block copies that came or went, and how many of those it evicted. */
  count(blocks: number, evicted: number): void {
    this.#usedBlocks += blocks;
    this.#evictedBlocks += evicted;
    if (this.#usedBlocks < 0) throw new Error("more blocks went than came");
  }
}
