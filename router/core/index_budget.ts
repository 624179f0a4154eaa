/** The hard cap of all indexes of a router together, in block copies. */
export class IndexBudget {
  readonly capacityBlocks: number;
  #usedBlocks = 0;

  constructor(capacityBlocks: number) {
    this.capacityBlocks = capacityBlocks;
  }

  /** Block copies held. */
  get usedBlocks(): number {
    return this.#usedBlocks;
  }

  /** Block copies that still fit. */
  get freeBlocks(): number {
    return this.capacityBlocks - this.#usedBlocks;
  }

  /** Takes room for one block copy; false where there is none. */
  take(): boolean {
    if (this.#usedBlocks >= this.capacityBlocks) return false;
    this.#usedBlocks += 1;
    return true;
  }

  /** Gives room back. */
  give(blocks: number): void {
    this.#usedBlocks -= blocks;
    if (this.#usedBlocks < 0) throw new Error("more blocks were given back than taken");
  }
}
