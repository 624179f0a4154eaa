import type { KvEvent } from "@pixii/wire";
import { EventLog } from "./event_log.ts";
import { HashIndex } from "./hash_index.ts";
import type { HostBlocks } from "./host_pool.ts";
import { UseOrder } from "./use_order.ts";

/** Where a block hangs: the one before it, undefined at the start of a prompt, and its own RouteHash. */
export interface BlockPlace {
  readonly parent: number | undefined;
  readonly hi: number;
  readonly lo: number;
}

/**
 * The device's blocks: taken by sequences and counted, found again by RouteHash when nobody uses them, evicted in order
 * of last use. One block per hash: a sequence that computed a block which another has already stored gets that one. A
 * chain is given up tail first, so a held block's parent is always held. Typed arrays: 40 bytes a block, no objects.
 */
export class BlockPool {
  readonly blocks: number;
  readonly #host: HostBlocks;
  readonly #uses: Uint32Array;
  readonly #hi: Uint32Array;
  readonly #lo: Uint32Array;
  /** Parent + 1; 0 = none. */
  readonly #parent: Uint32Array;
  /** 1 where a block is stored under its hash. */
  readonly #stored: Uint8Array;
  readonly #index: HashIndex;
  /** Stored blocks that nobody uses. */
  readonly #cached: UseOrder;
  /** Blocks without content that were used before. */
  readonly #empty: number[] = [];
  /** Blocks from here on were never used: their pages stay untouched. */
  #fresh = 0;
  readonly #log = new EventLog();

  constructor(blocks: number, host: HostBlocks) {
    this.blocks = blocks;
    this.#host = host;
    this.#uses = new Uint32Array(blocks);
    this.#hi = new Uint32Array(blocks);
    this.#lo = new Uint32Array(blocks);
    this.#parent = new Uint32Array(blocks);
    this.#stored = new Uint8Array(blocks);
    this.#index = new HashIndex(blocks, { hi: this.#hi, lo: this.#lo });
    this.#cached = new UseOrder(blocks);
  }

  /** Blocks that `take` can give, cached ones included. */
  get free(): number {
    return this.#empty.length + (this.blocks - this.#fresh) + this.#cached.size;
  }

  /** Stored blocks that nobody uses. */
  get cached(): number {
    return this.#cached.size;
  }

  /** Blocks that sequences use. */
  get active(): number {
    return this.blocks - this.free;
  }

  /** The block stored under a hash. */
  find(hi: number, lo: number): number | undefined {
    return this.#index.find(hi, lo);
  }

  /** True where nobody uses the block: taking it back makes one fewer free. */
  isIdle(block: number): boolean {
    return this.#uses[block] === 0;
  }

  /** Uses a stored block once more. */
  hold(block: number): void {
    if (this.#uses[block] === 0) this.#cached.remove(block);
    this.#uses[block] += 1;
  }

  /** An empty block for one user, the least recently used one evicted where none is left. Undefined where all are in use. */
  take(): number | undefined {
    const block = this.#empty.pop() ??
      (this.#fresh < this.blocks ? this.#fresh++ : this.#evict());
    if (block !== undefined) this.#uses[block] = 1;
    return block;
  }

  /** Stores a full block under its hash. Answers the block that stands for the hash: another, where one was stored before. */
  store(block: number, place: BlockPlace): number {
    const known = this.#index.find(place.hi, place.lo);
    if (known !== undefined) {
      this.hold(known);
      this.release(block);
      return known;
    }
    this.#hi[block] = place.hi;
    this.#lo[block] = place.lo;
    this.#parent[block] = place.parent === undefined ? 0 : place.parent + 1;
    this.#stored[block] = 1;
    this.#index.add(block);
    this.#log.stored(block + 1, this.#parent[block], place);
    return block;
  }

  /** Ends one use. The blocks of a sequence are released last first. */
  release(block: number): void {
    this.#uses[block] -= 1;
    if (this.#uses[block] > 0) return;
    if (this.#stored[block] === 1) this.#cached.add(block);
    else this.#empty.push(block);
  }

  /** Events since the last call; valid until the next call. */
  takeEvents(): readonly KvEvent[] {
    return this.#log.take();
  }

  /** All stored blocks as events, parents first. */
  snapshot(): KvEvent[] {
    const log = new EventLog();
    const said = new Uint8Array(this.blocks);
    const chain: number[] = [];
    for (let block = 0; block < this.#fresh; block++) {
      if (this.#stored[block] === 0) continue;
      for (let at = block; said[at] === 0;) {
        chain.push(at);
        said[at] = 1;
        if (this.#parent[at] === 0) break;
        at = this.#parent[at] - 1;
      }
      while (chain.length > 0) {
        const at = chain.pop()!;
        log.stored(at + 1, this.#parent[at], { hi: this.#hi[at], lo: this.#lo[at] });
      }
    }
    return [...log.take()];
  }

  /** Throws where the books do not add up. `uses` says how often sequences use each block. */
  checkIntegrity(uses: ReadonlyMap<number, number>): void {
    let stored = 0;
    // In the order of eviction, from 1 on; 0 = not in the list.
    const age = new Uint32Array(this.#fresh);
    let idle = 0;
    for (const block of this.#cached) age[block] = ++idle;
    const empty = new Uint8Array(this.#fresh);
    for (const block of this.#empty) empty[block] = 1;
    for (let block = 0; block < this.#fresh; block++) {
      const used = uses.get(block) ?? 0;
      const kept = this.#stored[block] === 1;
      if (this.#uses[block] !== used) {
        throw new Error(`block ${block} counts ${this.#uses[block]} uses, it has ${used}`);
      }
      const isUnused = used === 0;
      if (age[block] > 0 !== (kept && isUnused) || (empty[block] === 1) !== (!kept && isUnused)) {
        throw new Error(`block ${block} is in the wrong list`);
      }
      if (!kept) continue;
      stored += 1;
      if (this.#index.find(this.#hi[block], this.#lo[block]) !== block) {
        throw new Error(`block ${block} is not found by its hash`);
      }
      const parent = this.#parent[block] - 1;
      if (parent < 0) continue;
      if (this.#stored[parent] === 0) throw new Error(`block ${block} has lost its parent`);
      if (used > 0 && this.#uses[parent] === 0) throw new Error(`block ${parent} is used by child`);
      if (!isUnused || age[parent] === 0 || age[parent] > age[block]) continue;
      throw new Error(`block ${parent} would be evicted before its child ${block}`);
    }
    if (stored !== this.#index.size) throw new Error(`${stored} stored, ${this.#index.size} found`);
    this.#host.checkIntegrity();
  }

  #evict(): number | undefined {
    const block = this.#cached.oldest;
    if (block === undefined) return undefined;
    this.#cached.remove(block);
    this.#index.remove(block);
    this.#stored[block] = 0;
    this.#host.keep(this.#hi[block], this.#lo[block]);
    this.#log.removed(block + 1);
    return block;
  }
}
