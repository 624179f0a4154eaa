import type { HashList, KvEvent } from "@pixii/wire";
import { BlockPool, HostPool } from "@pixii/workers/sim";

/** What a job holds of a cache. */
export interface HeldBlocks {
  readonly list: HashList;
  /** In order; the first `stored` are under their hashes. */
  readonly blocks: number[];
  stored: number;
}

/** The device cache of one worker: the sim engine's pool, asked by hash lists instead of tokens. */
export class JobBlocks {
  readonly #blockSize: number;
  readonly #pool: BlockPool;

  constructor(capacityBlocks: number, blockSize: number) {
    this.#blockSize = blockSize;
    this.#pool = new BlockPool(capacityBlocks, new HostPool(0));
  }

  /** Blocks that jobs can take, cached ones included. */
  get free(): number {
    return this.#pool.free;
  }

  /** Blocks from the prompt's start that are here; its last token is always left to compute. O(answer). */
  match(list: HashList, inputTokens: number): number {
    const most = Math.min(list.lo.length, Math.floor((inputTokens - 1) / this.#blockSize));
    let count = 0;
    while (count < most && this.#pool.find(list.hi[count], list.lo[count]) !== undefined) count++;
    return count;
  }

  /** Holds what is here of a prompt. */
  attach(list: HashList, inputTokens: number): HeldBlocks {
    const count = this.match(list, inputTokens);
    const blocks: number[] = [];
    for (let i = 0; i < count; i++) {
      const block = this.#pool.find(list.hi[i], list.lo[i])!;
      this.#pool.hold(block);
      blocks.push(block);
    }
    return { list, blocks, stored: count };
  }

  /** Takes blocks until `tokens` fit; false where the pool has no more. */
  grow(held: HeldBlocks, tokens: number): boolean {
    while (held.blocks.length * this.#blockSize < tokens) {
      const block = this.#pool.take();
      if (block === undefined) return false;
      held.blocks.push(block);
    }
    return true;
  }

  /** Stores the whole blocks of the first `tokens` under their hashes. */
  store(held: HeldBlocks, tokens: number): void {
    const { list, blocks } = held;
    const whole = Math.min(list.lo.length, Math.floor(tokens / this.#blockSize));
    for (let at = held.stored; at < whole; at++) {
      const parent = at === 0 ? undefined : blocks[at - 1];
      blocks[at] = this.#pool.store(blocks[at], { parent, hi: list.hi[at], lo: list.lo[at] });
    }
    held.stored = Math.max(held.stored, whole);
  }

  /** Gives the blocks up; stored ones stay cached, the last to be evicted first. */
  release(held: HeldBlocks): void {
    const { blocks } = held;
    for (let i = blocks.length - 1; i >= 0; i--) this.#pool.release(blocks[i]);
    blocks.length = held.stored = 0;
  }

  /** What changed since the last call; valid until the next change. */
  takeEvents(): readonly KvEvent[] {
    return this.#pool.takeEvents();
  }

  /** Throws where the pool's books do not add up with what the jobs hold. */
  checkIntegrity(jobs: Iterable<HeldBlocks>): void {
    const uses = new Map<number, number>();
    for (const { blocks } of jobs) {
      for (const block of blocks) uses.set(block, (uses.get(block) ?? 0) + 1);
    }
    this.#pool.checkIntegrity(uses);
  }
}
