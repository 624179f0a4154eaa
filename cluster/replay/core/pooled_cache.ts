import type { DenseRequest, DenseTrace } from "./dense_trace.ts";

/** Which block of a full cache goes first. */
export interface EvictionOrder {
  /**
   * A request was served: the first `hits` of its blocks were cached, all of them are now. Called before room is made.
   */
  served(request: DenseRequest, hits: number, place: number): void;
  /** The block to go; called only while more are cached than fit. */
  victim(): number;
}

/** What an order needs to know of the cache it works for. */
export interface PooledView {
  readonly trace: DenseTrace;
  /** 1 where a block is cached. */
  readonly isCached: Uint8Array;
}

/** What a pooled cache found. */
export interface PooledResult {
  /** Prompt tokens that were cached, of all. */
  readonly hitRatio: number;
  /** Blocks found by request. */
  readonly hits: Int32Array;
}

/**
 * One cache of `capacityBlocks` for all requests: the hit ratio that any routing over workers of the same size in all can
 * hope for with the same eviction. The last token of a prompt is always computed, so a prompt's last block may be cached
 * and not count.
 */
export function pooledHits(
  trace: DenseTrace,
  capacityBlocks: number,
  orderOf: (view: PooledView) => EvictionOrder,
): PooledResult {
  const isCached = new Uint8Array(trace.distinct);
  const order = orderOf({ trace, isCached });
  let cached = 0;
  let hitTokens = 0;
  const found = new Int32Array(trace.requests.length);
  trace.requests.forEach((request, place) => {
    const { blocks, inputTokens } = request;
    const most = Math.min(blocks.length, Math.floor((inputTokens - 1) / trace.blockSize));
    let hits = 0;
    while (hits < most && isCached[blocks[hits]] === 1) hits += 1;
    found[place] = hits;
    hitTokens += hits * trace.blockSize;
    for (const block of blocks) {
      if (isCached[block] === 1) continue;
      isCached[block] = 1;
      cached += 1;
    }
    order.served(request, hits, place);
    for (; cached > capacityBlocks; cached--) isCached[order.victim()] = 0;
  });
  return { hitRatio: hitTokens / Math.max(1, trace.inputTokens), hits: found };
}

/** The least recently used goes first, of one request the deepest: prefixes outlive what hangs on them. */
export class LruOrder implements EvictionOrder {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  constructor({ trace }: PooledView) {
    this.#next = new Int32Array(trace.distinct + 1);
    this.#previous = new Int32Array(trace.distinct + 1);
  }

  served({ blocks }: DenseRequest): void {
    for (let i = blocks.length - 1; i >= 0; i--) this.touch(blocks[i]);
  }

  victim(): number {
    const block = this.#next[0] - 1;
    if (block < 0) throw new Error("no block is left to evict");
    this.#cut(block);
    return block;
  }

  /** Makes a block the most recently used. */
  touch(block: number): void {
    if (this.#next[block + 1] !== 0 || this.#previous[0] === block + 1) this.#cut(block);
    const last = this.#previous[0];
    this.#next[last] = block + 1;
    this.#previous[block + 1] = last;
    this.#next[block + 1] = 0;
    this.#previous[0] = block + 1;
  }

  #cut(block: number): void {
    const [before, after] = [this.#previous[block + 1], this.#next[block + 1]];
    this.#next[before] = after;
    this.#previous[after] = before;
    this.#next[block + 1] = this.#previous[block + 1] = 0;
  }
}

/** Belady's order: what is asked for again latest goes first, what never is before all. It sees the future. */
export class BeladyOrder implements EvictionOrder {
  /** Place of the next request that asks for a block, by block; infinite for never. */
  readonly #next: Float64Array;
  /** Per place of the trace and block of the request, the place of the block's next use. */
  readonly #after: readonly Float64Array[];
  /** A heap of (next use, block), latest first; entries that are out of date are passed over. */
  readonly #heap: { readonly use: number; readonly block: number }[] = [];
  readonly #isCached: Uint8Array;

  constructor({ trace, isCached }: PooledView) {
    this.#isCached = isCached;
    this.#next = new Float64Array(trace.distinct).fill(Infinity);
    const after: Float64Array[] = new Array(trace.requests.length);
    for (let place = trace.requests.length - 1; place >= 0; place--) {
      const { blocks } = trace.requests[place];
      after[place] = Float64Array.from(blocks, (block) => this.#next[block]);
      for (const block of blocks) this.#next[block] = place;
    }
    this.#after = after;
    this.#next.fill(Infinity);
  }

  served({ blocks }: DenseRequest, _hits: number, place: number): void {
    for (let i = 0; i < blocks.length; i++) {
      const use = this.#after[place][i];
      this.#next[blocks[i]] = use;
      // Of blocks that are used again together the deeper goes first.
      this.#push({ use: use + i * 1e-7, block: blocks[i] });
    }
  }

  victim(): number {
    while (true) {
      const top = this.#pop();
      const isNow = Math.floor(top.use) === this.#next[top.block] || top.use === Infinity;
      if (this.#isCached[top.block] === 1 && isNow) return top.block;
    }
  }

  #push(entry: { readonly use: number; readonly block: number }): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      if (heap[up].use >= entry.use) break;
      heap[at] = heap[up];
      at = up;
    }
    heap[at] = entry;
  }

  #pop(): { readonly use: number; readonly block: number } {
    const heap = this.#heap;
    const top = heap[0];
    if (top === undefined) throw new Error("no block is left to evict");
    const last = heap.pop()!;
    if (heap.length === 0) return top;
    let at = 0;
    while (true) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1].use > heap[child].use) child += 1;
      if (heap[child].use <= last.use) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return top;
  }
}
