import { RouteHasher } from "@pixii/wire";
import type { HashList, KvEvent } from "@pixii/wire";
import { BlockIndex } from "./block_index.ts";
import type { Block } from "./block_index.ts";
import { HostedBlocks } from "./hosted_blocks.ts";
import { KeepPolicy } from "./keep_policy.ts";
import type { KvOp } from "./kv_op.ts";
import { noSalt, sameSalt } from "./kv_salt.ts";
import type { KvSalt } from "./kv_salt.ts";
import { KvSlots, storedEvent } from "./kv_slots.ts";
import type { KvSlot } from "./kv_slots.ts";
import { leavingBlock } from "./leaving_block.ts";
import type { LeavingBlock } from "./leaving_block.ts";

/** A prefix found in some slot; it holds until the map is next changed. */
export interface PrefixMatch {
  readonly slot: number;
  readonly blocks: number;
}

/**
 * What the device cache holds: which slot (llama.cpp sequence id) has which tokens, which blocks are shared, what may be
 * evicted. Pure bookkeeping: it emits cache operations and KV events, and the engine does them.
 */
export class KvMap {
  readonly #slots: KvSlots;
  readonly #blockSize: number;
  readonly #cells: number;
  readonly #index = new BlockIndex();
  readonly #policy: KeepPolicy;
  readonly #hosted = new HostedBlocks();
  #hasHostTier = false;
  #isLeaving = false;
  /** Tokens of live slots behind their last full block. */
  #tails = 0;
  #ops: KvOp[] = [];
  #events: KvEvent[] = [];

  constructor(
    options: { readonly slots: number; readonly cells: number; readonly blockSize: number },
  ) {
    this.#blockSize = options.blockSize;
    this.#cells = options.cells;
    this.#slots = new KvSlots(options.slots);
    this.#policy = new KeepPolicy(options.cells / options.blockSize);
  }

  /** Cells no slot uses. */
  get freeCells(): number {
    return this.#cells - this.#index.count * this.#blockSize - this.#tails;
  }

  /** Blocks of live slots, and blocks only cached slots hold. */
  counts(): { readonly active: number; readonly cached: number } {
    return { active: this.#index.active, cached: this.#index.count - this.#index.active };
  }

  /** Tokens computed in a slot. */
  computed(slot: number): number {
    return this.#slots.all[slot].tokens.length;
  }

  /** True where a running sequence uses the slot. */
  isLive(slot: number): boolean {
    return this.#slots.all[slot].state === "live";
  }

  /** Takes a slot for a new sequence, evicting the least recently used cached one if none is free. */
  open(salt: KvSalt): number | undefined {
    let index = this.#slots.firstFree();
    if (index === undefined) {
      const oldest = this.#slots.oldestKept();
      if (oldest === undefined) return undefined;
      this.#free(oldest, true);
      index = oldest;
    }
    const slot = this.#slots.all[index];
    slot.state = "live";
    slot.hasher = new RouteHasher({ blockSize: this.#blockSize, ...salt });
    slot.salt = salt;
    slot.decodedFrom = Infinity;
    return index;
  }

  /**
   * The longest run of blocks that some slot holds and that begins as `tokens` do. `hashes` are the salted RouteHashes of
   * the blocks that may be reused. Found by hash, then compared by salt and token: a 64-bit hash alone decides nothing.
   * Counts as a use of the slot found. O(tokens + blocks x copies).
   */
  match(
    tokens: ArrayLike<number>,
    options: {
      readonly hashes: HashList;
      readonly salt: KvSalt;
      /** Only blocks without a token computed by decode in or before them. */
      readonly prefilledOnly: boolean;
    },
  ): PrefixMatch | undefined {
    const { hashes, salt, prefilledOnly } = options;
    let last: Block | undefined;
    let blocks = 0;
    for (; blocks < hashes.hi.length; blocks++) {
      const found = firstOf(
        this.#index.copies(hashes.hi[blocks], hashes.lo[blocks]),
        prefilledOnly,
      );
      if (found === undefined) break;
      last = found;
    }
    if (last === undefined) return undefined;
    const [slot] = last.holders;
    const source = this.#slots.all[slot];
    if (!sameSalt(source.salt, salt)) return undefined;
    for (let i = 0; i < blocks * this.#blockSize; i++) {
      if (source.tokens[i] !== tokens[i]) return undefined;
    }
    this.#slots.use(source);
    source.found = true;
    return { slot, blocks };
  }

  /** Shares a matched prefix with an empty live slot of the same salt. */
  attach(to: number, match: PrefixMatch): void {
    const source = this.#slots.all[match.slot];
    const slot = this.#slots.all[to];
    if (slot.state !== "live" || slot.tokens.length > 0 || !sameSalt(slot.salt, source.salt)) {
      throw new Error("attach() needs an empty slot of the same salt");
    }
    if (match.blocks > source.blocks.length) throw new Error("attach() needs a match that holds");
    const end = match.blocks * this.#blockSize;
    this.#ops.push({ op: "copy", from: match.slot, to, end });
    slot.tokens = source.tokens.slice(0, end);
    for (let i = 0; i < match.blocks; i++) {
      slot.hasher!.push(slot.tokens, i * this.#blockSize);
      this.#index.share(source.blocks[i], to);
      slot.blocks.push(source.blocks[i]);
    }
  }

  /** Records tokens the engine has computed at the end of a live slot, and stores the blocks that became full. */
  append(index: number, tokens: ArrayLike<number>, how: "prefill" | "decode"): void {
    const slot = this.#slots.all[index];
    if (slot.state !== "live") throw new Error("append() needs a live slot");
    if (how === "decode") slot.decodedFrom = Math.min(slot.decodedFrom, slot.tokens.length);
    for (let i = 0; i < tokens.length; i++) slot.tokens.push(tokens[i]);
    this.#tails += tokens.length;
    const stored: Block[] = [];
    while ((slot.blocks.length + 1) * this.#blockSize <= slot.tokens.length) {
      stored.push(this.#store(index, slot));
    }
    if (stored.length > 0) this.#events.push(storedEvent(stored));
  }

  /** Whether blocks that leave are offered to a host tier. A new tier, or none, holds nothing that is known here. */
  useHostTier(isThere: boolean): void {
    this.#hasHostTier = isThere;
    this.#hosted.clear();
  }

  /** Records a block that was taken from the host tier to the end of a live slot; `host` is its slot there. */
  restore(
    index: number,
    tokens: ArrayLike<number>,
    { host, decoded }: { readonly host: number; readonly decoded: boolean },
  ): void {
    const slot = this.#slots.all[index];
    const isWhole = slot.tokens.length === slot.blocks.length * this.#blockSize;
    if (slot.state !== "live" || !isWhole || tokens.length !== this.#blockSize) {
      throw new Error("restore() needs a live slot that ends with a whole block");
    }
    for (let i = 0; i < tokens.length; i++) slot.tokens.push(tokens[i]);
    this.#tails += tokens.length;
    const block = this.#store(index, slot, decoded);
    this.#hosted.note(host, block);
    this.#events.push(storedEvent([block]));
  }

  /** The host tier does not hold these slots' blocks any more; unknown ones are passed over. */
  forgetHosted(slots: Iterable<number>): void {
    this.#hosted.forget(slots);
  }

  /** The block at `at` of a slot was written to the host tier, to its slot `host`. */
  noteHosted(
    index: number,
    { at, host }: { readonly at: number; readonly host: number },
  ): void {
    this.#hosted.note(host, this.#slots.all[index].blocks[at]);
  }

  /** True where the host tier is known to hold the block at `at` of a slot. */
  isHosted(index: number, at: number): boolean {
    return this.#slots.all[index].blocks[at].host !== undefined;
  }

  /** What the host tier has to know of the block at `at` of a slot. */
  leaving(index: number, at: number): LeavingBlock {
    return leavingBlock(this.#slots.all[index], at, this.#blockSize);
  }

  /** Ends a sequence's use of its slot: its full blocks stay for reuse where `keep` says so and nobody else has them. */
  close(index: number, keep: boolean): void {
    const slot = this.#slots.all[index];
    if (slot.state !== "live") throw new Error("close() needs a live slot");
    const last = slot.blocks.at(-1);
    if (!keep || last === undefined || last.holders.size > 1 || this.#hasTwin(last)) {
      this.#free(index, keep);
      return;
    }
    const end = slot.blocks.length * this.#blockSize;
    if (slot.tokens.length > end) this.#ops.push({ op: "remove", slot: index, start: end });
    this.#retire(slot);
    slot.state = "cached";
    this.#slots.use(slot);
    slot.found = false;
    this.#policy.kept();
    // With a host tier the engine does it bit by bit, so that what leaves can be kept there.
    if (!this.#hasHostTier) this.trim(Infinity);
  }

  /** From now on every kept prompt is to be given up, bit by bit (`trim`), so that a host tier can keep it. */
  leave(): void {
    this.#isLeaving = true;
  }

  /** True where kept prompts are to be given up: see `trim`. */
  get hasTooMany(): boolean {
    if (this.#isLeaving) return this.#slots.oldestKept() !== undefined;
    return this.counts().cached > this.#policy.mostBlocks(this.#hasHostTier) &&
      this.#slots.oldestKept("unfound") !== undefined;
  }

  /**
   * Gives up kept prompts of no use so far where there are more than the policy lets be, or all after `leave`, at most
   * `mostBlocks` blocks; false where there is more to do.
   */
  trim(mostBlocks: number): boolean {
    let left = mostBlocks;
    const most = this.#policy.mostBlocks(this.#hasHostTier);
    while (this.#isLeaving || this.counts().cached > most) {
      const oldest = this.#isLeaving ? this.#slots.oldestKept() : this.#slots.oldestKept("unfound");
      if (oldest === undefined) return true;
      if (left <= 0) return false;
      const { length } = this.#slots.all[oldest].blocks;
      if (length > left) this.#shorten(oldest, length - left);
      else this.#free(oldest, true);
      left -= length;
    }
    return true;
  }

  /** Evicts cached blocks, oldest slot and last block first, until `cells` are free. False where that is not enough. */
  reclaim(cells: number): boolean {
    while (this.freeCells < cells) {
      const oldest = this.#slots.oldestKept();
      if (oldest === undefined) return false;
      const slot = this.#slots.all[oldest];
      // A shared block frees nothing, so the run to give up may be longer than the cells wanted.
      let end = slot.blocks.length;
      let gained = 0;
      while (end > 0 && this.freeCells + gained < cells) {
        end -= 1;
        if (slot.blocks[end].holders.size === 1) gained += this.#blockSize;
      }
      if (end === 0) {
        this.#free(oldest, true);
        continue;
      }
      this.#shorten(oldest, end);
    }
    return true;
  }

  /** Cache operations since the last call. */
  takeOps(): readonly KvOp[] {
    const ops = this.#ops;
    this.#ops = [];
    return ops;
  }

  /** True while events wait for `takeEvents`: a snapshot taken now includes them already. */
  get hasEvents(): boolean {
    return this.#events.length > 0;
  }

  /** KV events since the last call. */
  takeEvents(): readonly KvEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** All blocks now held, parents first. */
  snapshot(): KvEvent[] {
    return this.#slots.snapshot();
  }

  /** Throws where the books do not add up. O(everything). */
  checkIntegrity(): void {
    const tails = this.#slots.checkIntegrity(this.#blockSize);
    if (tails !== this.#tails) throw new Error(`tails of ${tails}, ${this.#tails} counted`);
    if (this.freeCells < 0) throw new Error(`${-this.freeCells} cells too many are used`);
    this.#hosted.checkIntegrity();
    this.#index.checkIntegrity(this.#slots.all.map((slot) => slot.blocks), (at) => this.isLive(at));
  }

  #store(index: number, slot: KvSlot, decoded?: boolean): Block {
    const start = slot.blocks.length * this.#blockSize;
    const block = this.#index.add({
      hash: slot.hasher!.push(slot.tokens, start),
      before: slot.blocks.at(-1),
      slot: index,
      decoded: decoded ?? start + this.#blockSize > slot.decodedFrom,
    });
    slot.blocks.push(block);
    this.#tails -= this.#blockSize;
    return block;
  }

  /** Gives up the blocks of a kept slot from `end` on; at least one stays. */
  #shorten(index: number, end: number): void {
    const slot = this.#slots.all[index];
    this.#offer(index, end);
    this.#ops.push({ op: "remove", slot: index, start: end * this.#blockSize });
    slot.tokens.length = end * this.#blockSize;
    this.#release(index, slot.blocks.splice(end).reverse());
  }

  /** Another copy of `last`, at least as good to reuse, is there: keeping both would only waste room. */
  #hasTwin(last: Block): boolean {
    for (const twin of this.#index.copies(last.hi, last.lo)!) {
      if (twin === last || (twin.decoded && !last.decoded)) continue;
      for (const slot of twin.holders) this.#slots.use(this.#slots.all[slot]);
      return true;
    }
    return false;
  }

  /** A live slot becomes one that is not: its tail goes, and its blocks lose a live holder. */
  #retire(slot: KvSlot): void {
    const end = slot.blocks.length * this.#blockSize;
    this.#tails -= slot.tokens.length - end;
    slot.tokens.length = end;
    for (const block of slot.blocks) this.#index.retire(block);
  }

  /** `isTrusted`: its blocks are what they say, so a host tier may keep them. */
  #free(index: number, isTrusted: boolean): void {
    const slot = this.#slots.all[index];
    if (slot.state === "cached") this.#policy.gaveUp(slot.found);
    if (isTrusted) this.#offer(index, 0);
    // Said for an empty slot too: a failed decode may have left there what the books do not know.
    this.#ops.push({ op: "remove", slot: index, start: 0 });
    if (slot.state === "live") this.#retire(slot);
    this.#release(index, slot.blocks.reverse());
    slot.state = "free";
    slot.tokens = [];
    slot.blocks = [];
    slot.hasher = undefined;
    slot.salt = noSalt;
  }

  /** Offers the blocks of a slot from `from` on, heads first, that leave the device with it and are nowhere else. */
  #offer(index: number, from: number): void {
    if (!this.#hasHostTier) return;
    const slot = this.#slots.all[index];
    for (let i = from; i < slot.blocks.length; i++) {
      const block = slot.blocks[i];
      const isLast = block.holders.size === 1 && this.#index.copies(block.hi, block.lo)!.size === 1;
      if (!isLast || block.host !== undefined) continue;
      const leaving = leavingBlock(slot, i, this.#blockSize);
      this.#ops.push({ op: "offload", slot: index, block: leaving });
    }
  }

  /** Gives up a slot's hold on blocks, last first; a block is removed when its last holder goes. */
  #release(index: number, blocks: readonly Block[]): void {
    const removed = blocks.filter((block) => this.#index.release(block, index));
    if (removed.length === 0) return;
    for (const block of removed) this.#hosted.left(block);
    this.#events.push({
      op: "removed",
      numbers: Uint32Array.from(removed, (block) => block.number),
    });
  }
}

/** The oldest copy that may be reused. */
function firstOf(
  copies: ReadonlySet<Block> | undefined,
  prefilledOnly: boolean,
): Block | undefined {
  if (copies === undefined) return undefined;
  for (const block of copies) if (!prefilledOnly || !block.decoded) return block;
  return undefined;
}
