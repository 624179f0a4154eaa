/** Weight of the newest outcome: some twenty are remembered. */
const newestWeight = 0.05;
/** What is supposed before anything is known: some twenty prompts of no use and little is kept. */
const supposedUse = 0.3;
/** Below this share of kept prompts that were of use, keeping them costs more than it saves. */
const leastUse = 0.1;
/** Share of the cache that is kept all the same, and where a host tier has the rest. */
const smallShare = 1 / 8;
const hostedShare = 1 / 32;
/** After so many prompts kept under the small bound it is lifted, to see whether the use has changed. */
const trialPrompts = 256;

/**
 * How much of the cache finished prompts may keep. Attention walks every used cell, whosever it is, so kept prompts slow
 * every decode step down: for a model of 135 M parameters a full cache of 8192 cells by 12 % (one sequence) to 29 %
 * (eight). One prompt in ten that is found again pays for that; where fewer are, only an eighth of the cache is kept.
 */
export class KeepPolicy {
  readonly #smallBlocks: number;
  readonly #hostedBlocks: number;
  /** Share of kept prompts that were found again before they were given up. */
  #use = supposedUse;
  #trial = 0;

  constructor(totalBlocks: number) {
    this.#smallBlocks = Math.ceil(totalBlocks * smallShare);
    this.#hostedBlocks = Math.ceil(totalBlocks * hostedShare);
  }

  /**
   * Most blocks that only finished prompts hold. Over a host tier always few: a block comes back from there in a third of a
   * millisecond, while a kept one costs every step (llama.cpp walks all cells up to the last used one).
   */
  mostBlocks(hasHostTier: boolean): number {
    if (hasHostTier) return this.#hostedBlocks;
    return this.#use < leastUse ? this.#smallBlocks : Infinity;
  }

  /** A prompt was kept. */
  kept(): void {
    if (this.#use >= leastUse || ++this.#trial < trialPrompts) return;
    this.#trial = 0;
    this.#use = supposedUse;
  }

  /** A kept prompt was given up; `found`: it was of use before. */
  gaveUp(found: boolean): void {
    this.#use += newestWeight * ((found ? 1 : 0) - this.#use);
  }
}
