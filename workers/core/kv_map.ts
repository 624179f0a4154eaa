import { RouteHasher } from "@pixii/wire";
import type { KvEvent } from "@pixii/wire";

/** What the engine must do to its cache, in order, before its next decode. */
export type KvOp =
  /** Share positions [0, end) of `from` with `to`; moves no data. */
  | { readonly op: "copy"; readonly from: number; readonly to: number; readonly end: number }
  /** Forget positions [start, ∞) of a slot. */
  | { readonly op: "remove"; readonly slot: number; readonly start: number };

/** A full block of computed tokens, in one physical copy that several slots may share. */
interface Block {
  readonly number: number;
  readonly key: string;
  readonly hi: number;
  readonly lo: number;
  readonly parent: number;
  /** Slots whose sequence holds this copy. */
  readonly holders: Set<number>;
  /** Some of its tokens were computed by decode steps, not by prefill chunks. */
  readonly decoded: boolean;
}

interface Slot {
  state: "free" | "live" | "cached";
  /** Tokens whose KV is computed. */
  tokens: number[];
  blocks: Block[];
  hasher: RouteHasher | undefined;
  /** Tokens from here on were computed by decode. */
  decodedFrom: number;
  lastUse: number;
}

/** A prefix found in some slot. */
export interface PrefixMatch {
  readonly slot: number;
  readonly blocks: number;
}

/** Whose blocks may be shared: hashes are salted with both. */
export interface KvSalt {
  readonly adapterDigest: string;
  readonly tenantSalt: string;
}

/**
 * What the device cache holds: which slot (llama.cpp sequence id) has which tokens, which blocks are shared, what may be
 * evicted. Pure bookkeeping: it emits cache operations and KV events, and the engine does them.
 */
export class KvMap {
  readonly #slots: Slot[];
  readonly #blockSize: number;
  readonly #cells: number;
  readonly #byKey = new Map<string, Set<Block>>();
  #blocks = 0;
  #nextNumber = 1;
  #useCount = 0;
  #ops: KvOp[] = [];
  #events: KvEvent[] = [];

  constructor(
    options: { readonly slots: number; readonly cells: number; readonly blockSize: number },
  ) {
    this.#blockSize = options.blockSize;
    this.#cells = options.cells;
    this.#slots = Array.from({ length: options.slots }, () => ({
      state: "free",
      tokens: [],
      blocks: [],
      hasher: undefined,
      decodedFrom: Infinity,
      lastUse: 0,
    }));
  }

  /** Cells no slot uses. */
  get freeCells(): number {
    let used = this.#blocks * this.#blockSize;
    for (const slot of this.#slots) {
      used += slot.tokens.length - slot.blocks.length * this.#blockSize;
    }
    return this.#cells - used;
  }

  /** Blocks of live slots, and blocks only cached slots hold. */
  counts(): { readonly active: number; readonly cached: number } {
    const active = new Set<Block>();
    for (const slot of this.#slots) {
      if (slot.state === "live") { for (const block of slot.blocks) active.add(block); }
    }
    return { active: active.size, cached: this.#blocks - active.size };
  }

  /** Tokens computed in a slot. */
  computed(slot: number): number {
    return this.#slots[slot].tokens.length;
  }

  /** True where a running sequence uses the slot. */
  isLive(slot: number): boolean {
    return this.#slots[slot].state === "live";
  }

  /** Takes a slot for a new sequence, evicting the least recently used cached one if none is free. */
  open(salt: KvSalt): number | undefined {
    let index = this.#slots.findIndex((slot) => slot.state === "free");
    if (index < 0) {
      const oldest = this.#oldestCached();
      if (oldest === undefined) return undefined;
      this.#free(oldest);
      index = oldest;
    }
    const slot = this.#slots[index];
    slot.state = "live";
    slot.hasher = new RouteHasher({ blockSize: this.#blockSize, ...salt });
    slot.decodedFrom = Infinity;
    return index;
  }

  /** The longest run of blocks of `tokens` that some slot holds, at most `mostBlocks`; compared by hash, then by token. */
  match(
    tokens: ArrayLike<number>,
    options: {
      readonly salt: KvSalt;
      readonly mostBlocks: number;
      readonly prefilledOnly: boolean;
    },
  ): PrefixMatch | undefined {
    const hasher = new RouteHasher({ blockSize: this.#blockSize, ...options.salt });
    let best: PrefixMatch | undefined;
    for (let i = 0; i < options.mostBlocks; i++) {
      const hash = hasher.push(tokens, i * this.#blockSize);
      const copies = this.#byKey.get(`${hash.hi},${hash.lo}`);
      if (copies === undefined) break;
      const slot = this.#holderOf(copies, i, options.prefilledOnly);
      if (slot === undefined) break;
      best = { slot, blocks: i + 1 };
    }
    if (best === undefined) return undefined;
    const held = this.#slots[best.slot].tokens;
    for (let i = 0; i < best.blocks * this.#blockSize; i++) {
      if (held[i] !== tokens[i]) return undefined;
    }
    return best;
  }

  /** Shares a matched prefix with an empty live slot. */
  attach(to: number, match: PrefixMatch): void {
    const source = this.#slots[match.slot];
    const slot = this.#slots[to];
    if (slot.state !== "live" || slot.tokens.length > 0) {
      throw new Error("attach() needs an empty slot");
    }
    const end = match.blocks * this.#blockSize;
    this.#ops.push({ op: "copy", from: match.slot, to, end });
    slot.tokens = source.tokens.slice(0, end);
    for (let i = 0; i < match.blocks; i++) {
      const block = source.blocks[i];
      slot.hasher!.push(slot.tokens, i * this.#blockSize);
      block.holders.add(to);
      slot.blocks.push(block);
    }
    source.lastUse = ++this.#useCount;
  }

  /** Records tokens the engine has computed at the end of a slot, and stores the blocks that became full. */
  append(index: number, tokens: ArrayLike<number>, how: "prefill" | "decode"): void {
    const slot = this.#slots[index];
    if (how === "decode") slot.decodedFrom = Math.min(slot.decodedFrom, slot.tokens.length);
    for (let i = 0; i < tokens.length; i++) slot.tokens.push(tokens[i]);
    const stored: Block[] = [];
    while ((slot.blocks.length + 1) * this.#blockSize <= slot.tokens.length) {
      stored.push(this.#store(index, slot));
    }
    if (stored.length > 0) this.#events.push(storedEvent(stored));
  }

  /** Ends a sequence's use of its slot: its full blocks stay for reuse where `keep` says so and nobody else has them. */
  close(index: number, keep: boolean): void {
    const slot = this.#slots[index];
    const last = slot.blocks.at(-1);
    if (!keep || last === undefined || last.holders.size > 1) {
      this.#free(index);
      return;
    }
    const end = slot.blocks.length * this.#blockSize;
    if (slot.tokens.length > end) {
      this.#ops.push({ op: "remove", slot: index, start: end });
      slot.tokens.length = end;
    }
    slot.state = "cached";
    slot.lastUse = ++this.#useCount;
  }

  /** Evicts cached blocks, oldest slot and last block first, until `cells` are free. False where that is not enough. */
  reclaim(cells: number): boolean {
    while (this.freeCells < cells) {
      const oldest = this.#oldestCached();
      if (oldest === undefined) return false;
      const slot = this.#slots[oldest];
      if (slot.blocks.length === 1) {
        this.#free(oldest);
        continue;
      }
      const end = (slot.blocks.length - 1) * this.#blockSize;
      this.#ops.push({ op: "remove", slot: oldest, start: end });
      slot.tokens.length = end;
      this.#release(oldest, [slot.blocks.pop()!]);
    }
    return true;
  }

  /** Cache operations since the last call. */
  takeOps(): readonly KvOp[] {
    const ops = this.#ops;
    this.#ops = [];
    return ops;
  }

  /** KV events since the last call. */
  takeEvents(): readonly KvEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  /** All blocks now held, parents first. */
  snapshot(): KvEvent[] {
    const events: KvEvent[] = [];
    const said = new Set<Block>();
    for (const slot of this.#slots) {
      const fresh = slot.blocks.filter((block) => !said.has(block));
      for (const block of fresh) said.add(block);
      // A slot's unsaid blocks may hang off shared ones in the middle: one event per unbroken run.
      let run: Block[] = [];
      for (const block of fresh) {
        if (run.length > 0 && block.parent !== run[run.length - 1].number) {
          events.push(storedEvent(run));
          run = [];
        }
        run.push(block);
      }
      if (run.length > 0) events.push(storedEvent(run));
    }
    return events;
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    const seen = new Map<Block, Set<number>>();
    this.#slots.forEach((slot, index) => {
      const end = slot.blocks.length * this.#blockSize;
      const tail = slot.tokens.length - end;
      if (tail < 0 || tail >= this.#blockSize) {
        throw new Error(`slot ${index} has a tail of ${tail}`);
      }
      if (slot.state !== "live" && tail !== 0) {
        throw new Error(`slot ${index} is ${slot.state} with a tail`);
      }
      if (slot.state === "free" && end > 0) throw new Error(`free slot ${index} holds blocks`);
      if (slot.state === "cached" && end === 0) throw new Error(`cached slot ${index} is empty`);
      slot.blocks.forEach((block, i) => {
        if (block.parent !== (i === 0 ? 0 : slot.blocks[i - 1].number)) {
          throw new Error(`block ${block.number} of slot ${index} has another parent`);
        }
        if (!seen.has(block)) seen.set(block, new Set());
        seen.get(block)!.add(index);
      });
    });
    for (const [block, slots] of seen) {
      if (
        slots.size !== block.holders.size || [...slots].some((slot) => !block.holders.has(slot))
      ) {
        throw new Error(`block ${block.number} has wrong holders`);
      }
      if (!this.#byKey.get(block.key)?.has(block)) {
        throw new Error(`block ${block.number} is not indexed`);
      }
    }
    let indexed = 0;
    for (const copies of this.#byKey.values()) indexed += copies.size;
    if (indexed !== seen.size || indexed !== this.#blocks) {
      throw new Error(`${indexed} blocks indexed, ${seen.size} held, ${this.#blocks} counted`);
    }
    if (this.freeCells < 0) throw new Error(`${-this.freeCells} cells too many are used`);
  }

  #holderOf(copies: Set<Block>, index: number, prefilledOnly: boolean): number | undefined {
    for (const block of copies) {
      for (const holder of block.holders) {
        const slot = this.#slots[holder];
        if (slot.blocks[index] !== block) continue;
        if (prefilledOnly && slot.blocks.slice(0, index + 1).some((one) => one.decoded)) continue;
        return holder;
      }
    }
    return undefined;
  }

  #store(index: number, slot: Slot): Block {
    const start = slot.blocks.length * this.#blockSize;
    const { hi, lo } = slot.hasher!.push(slot.tokens, start);
    const block: Block = {
      number: this.#nextNumber++,
      key: `${hi},${lo}`,
      hi,
      lo,
      parent: slot.blocks.at(-1)?.number ?? 0,
      holders: new Set([index]),
      decoded: start + this.#blockSize > slot.decodedFrom,
    };
    const copies = this.#byKey.get(block.key);
    if (copies === undefined) this.#byKey.set(block.key, new Set([block]));
    else copies.add(block);
    slot.blocks.push(block);
    this.#blocks += 1;
    return block;
  }

  #oldestCached(): number | undefined {
    let oldest: number | undefined;
    this.#slots.forEach((slot, index) => {
      if (slot.state !== "cached") return;
      if (oldest === undefined || slot.lastUse < this.#slots[oldest].lastUse) oldest = index;
    });
    return oldest;
  }

  #free(index: number): void {
    const slot = this.#slots[index];
    this.#ops.push({ op: "remove", slot: index, start: 0 });
    this.#release(index, slot.blocks.reverse());
    slot.state = "free";
    slot.tokens = [];
    slot.blocks = [];
    slot.hasher = undefined;
  }

  /** Gives up a slot's hold on blocks, last first; a block nobody holds is removed. */
  #release(index: number, blocks: readonly Block[]): void {
    const removed: number[] = [];
    for (const block of blocks) {
      block.holders.delete(index);
      if (block.holders.size > 0) continue;
      const copies = this.#byKey.get(block.key)!;
      copies.delete(block);
      if (copies.size === 0) this.#byKey.delete(block.key);
      this.#blocks -= 1;
      removed.push(block.number);
    }
    if (removed.length > 0) {
      this.#events.push({ op: "removed", numbers: Uint32Array.from(removed) });
    }
  }
}

function storedEvent(blocks: readonly Block[]): KvEvent {
  return {
    op: "stored",
    parent: blocks[0].parent,
    numbers: Uint32Array.from(blocks, (block) => block.number),
    hi: Uint32Array.from(blocks, (block) => block.hi),
    lo: Uint32Array.from(blocks, (block) => block.lo),
  };
}
