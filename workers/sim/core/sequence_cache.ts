import type { KvEvent } from "@pixii/wire";
import { BlockPool } from "./block_pool.ts";
import { HostPool } from "./host_pool.ts";
import type { HostBlocks } from "./host_pool.ts";
import type { SimSequence } from "./sim_sequence.ts";

/** Sizes of the tiers. */
export interface CacheSizes {
  readonly blocks: number;
  readonly blockSize: number;
  /** Blocks of the modelled host tier; 0 = none. */
  readonly hostBlocks: number;
  /** Who keeps the blocks of the host tier instead of the model. */
  readonly host?: HostBlocks;
}

/** How much of a sequence the device holds. */
export interface DeviceMatch {
  /** Blocks from its start on. */
  readonly blocks: number;
  /** How many of them nobody uses: taking them makes fewer free. */
  readonly idle: number;
}

/** The blocks of sequences: found by prefix, brought back from the host, taken, stored, given up. */
export class SequenceCache {
  readonly #blockSize: number;
  readonly #hasHost: boolean;
  readonly #host: HostBlocks;
  readonly #pool: BlockPool;

  constructor(sizes: CacheSizes) {
    this.#blockSize = sizes.blockSize;
    this.#hasHost = sizes.host !== undefined || sizes.hostBlocks > 0;
    this.#host = sizes.host ?? new HostPool(sizes.hostBlocks);
    this.#pool = new BlockPool(sizes.blocks, this.#host);
  }

  /** Blocks that sequences can take, cached ones included. */
  get free(): number {
    return this.#pool.free;
  }

  /** Blocks that sequences hold, and blocks kept for reuse. */
  counts(): { readonly activeBlocks: number; readonly cachedBlocks: number } {
    return { activeBlocks: this.#pool.active, cachedBlocks: this.#pool.cached };
  }

  /** The longest prefix of a waiting sequence on the device; its last token is always left to compute. */
  match(sequence: SimSequence): DeviceMatch {
    const most = Math.floor((sequence.length - 1) / this.#blockSize);
    let idle = 0;
    for (let i = 0; i < most; i++) {
      sequence.hash(i);
      const block = this.#pool.find(sequence.hi[i], sequence.lo[i]);
      if (block === undefined) return { blocks: i, idle };
      if (this.#pool.isIdle(block)) idle += 1;
    }
    return { blocks: most, idle };
  }

  /** Gives a sequence without blocks what was matched, then what the host has of the rest. Answers the host's blocks. */
  attach(sequence: SimSequence, match: DeviceMatch): number {
    for (let i = 0; i < match.blocks; i++) {
      const block = this.#pool.find(sequence.hi[i], sequence.lo[i])!;
      this.#pool.hold(block);
      sequence.blocks.push(block);
    }
    sequence.stored = match.blocks;
    const host = this.#hasHost ? this.#onboard(sequence) : 0;
    sequence.computed = (match.blocks + host) * this.#blockSize;
    return host;
  }

  /** Takes one more block for a sequence; false where none is free. */
  grow(sequence: SimSequence): boolean {
    const block = this.#pool.take();
    if (block !== undefined) sequence.blocks.push(block);
    return block !== undefined;
  }

  /** Stores the blocks of a sequence that became full. */
  store(sequence: SimSequence): void {
    const full = Math.floor(sequence.computed / this.#blockSize);
    while (sequence.stored < full) this.#storeNext(sequence);
  }

  /** Takes a sequence's blocks from it; its full ones stay cached while there is room. */
  release(sequence: SimSequence): void {
    for (let i = sequence.blocks.length - 1; i >= 0; i--) this.#pool.release(sequence.blocks[i]);
    sequence.blocks.length = 0;
    sequence.stored = sequence.computed = sequence.planned = 0;
  }

  /** KV events since the last call; valid until the next call. */
  takeEvents(): readonly KvEvent[] {
    return this.#pool.takeEvents();
  }

  /** All stored blocks as events, parents first. */
  snapshot(): KvEvent[] {
    return this.#pool.snapshot();
  }

  /** Throws where the books do not add up with the sequences that hold blocks. */
  checkIntegrity(sequences: Iterable<SimSequence>): void {
    const uses = new Map<number, number>();
    for (const one of sequences) {
      if (one.blocks.length * this.#blockSize < one.computed + one.planned) {
        throw new Error(`stream ${one.request.stream} has too few blocks`);
      }
      if (one.stored !== Math.floor(one.computed / this.#blockSize)) {
        throw new Error(`stream ${one.request.stream} has full blocks that are not stored`);
      }
      for (const block of one.blocks) uses.set(block, (uses.get(block) ?? 0) + 1);
    }
    this.#pool.checkIntegrity(uses);
  }

  /** Brings the blocks after the sequence's own back that the host holds; answers how many. */
  #onboard(sequence: SimSequence): number {
    const most = Math.floor((sequence.length - 1) / this.#blockSize);
    const from = sequence.stored;
    while (sequence.stored < most) {
      const at = sequence.stored;
      sequence.hash(at);
      if (!this.#host.touch(sequence.hi[at], sequence.lo[at]) || !this.grow(sequence)) break;
      this.#storeNext(sequence);
    }
    return sequence.stored - from;
  }

  #storeNext(sequence: SimSequence): void {
    const { blocks, stored: at } = sequence;
    sequence.hash(at);
    blocks[at] = this.#pool.store(blocks[at], {
      parent: at === 0 ? undefined : blocks[at - 1],
      hi: sequence.hi[at],
      lo: sequence.lo[at],
    });
    sequence.stored += 1;
  }
}
