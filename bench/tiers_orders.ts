import type { DenseRequest, EvictionOrder, PooledView } from "@pixii/cluster/traces";

/**
 * The least frequently used goes first, of equals the least recently used; what left is forgotten. A queue per count,
 * counts above the last share one.
 */
export class LfuOrder implements EvictionOrder {
  readonly #uses: Uint8Array;
  readonly #isCached: Uint8Array;
  readonly #queues: Set<number>[] = Array.from({ length: 256 }, () => new Set());

  constructor({ trace, isCached }: PooledView) {
    this.#uses = new Uint8Array(trace.distinct);
    this.#isCached = isCached;
  }

  served({ blocks }: DenseRequest): void {
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i];
      this.#queues[this.#uses[block]].delete(block);
      this.#uses[block] = Math.min(255, this.#uses[block] + 1);
      this.#queues[this.#uses[block]].add(block);
    }
  }

  victim(): number {
    for (const queue of this.#queues) {
      for (const block of queue) {
        queue.delete(block);
        this.#uses[block] = 0;
        if (this.#isCached[block] === 1) return block;
      }
    }
    throw new Error("no block is left to evict");
  }
}

/** Part of the cache that new blocks pass through in S3-FIFO. */
const smallPart = 0.1;

/**
 * S3-FIFO (Yang and others, 2023): a small queue for new blocks, from which those used again go to the main one, and a
 * memory of what left the small one, which goes to the main one at its return.
 */
export class S3FifoOrder implements EvictionOrder {
  readonly #uses: Uint8Array;
  readonly #small = new Set<number>();
  readonly #main = new Set<number>();
  readonly #ghosts = new Set<number>();

  constructor({ trace }: PooledView) {
    this.#uses = new Uint8Array(trace.distinct);
  }

  served({ blocks }: DenseRequest): void {
    for (let i = blocks.length - 1; i >= 0; i--) {
      const block = blocks[i];
      if (this.#small.has(block) || this.#main.has(block)) {
        this.#uses[block] = Math.min(3, this.#uses[block] + 1);
        continue;
      }
      this.#uses[block] = 0;
      if (this.#ghosts.delete(block)) this.#main.add(block);
      else this.#small.add(block);
    }
  }

  victim(): number {
    for (;;) {
      const cached = this.#small.size + this.#main.size;
      const isSmall = this.#small.size > smallPart * cached || this.#main.size === 0;
      const queue = isSmall ? this.#small : this.#main;
      const [block] = queue;
      queue.delete(block);
      if (this.#uses[block] > 0) {
        this.#uses[block] = isSmall ? 0 : this.#uses[block] - 1;
        this.#main.add(block);
        continue;
      }
      if (isSmall) {
        this.#ghosts.add(block);
        const [oldest] = this.#ghosts;
        if (this.#ghosts.size > cached) this.#ghosts.delete(oldest);
      }
      return block;
    }
  }
}
