/** A full block of computed tokens, in one physical copy that several slots may share. */
export interface Block {
  /** Names this copy in KV events; > 0, never used again. */
  readonly number: number;
  readonly key: string;
  readonly hi: number;
  readonly lo: number;
  /** Number of the block before; 0 at the start. */
  readonly parent: number;
  /** Slots whose sequence holds this copy. */
  readonly holders: Set<number>;
  /** How many of the holders are live. */
  live: number;
  /** Some of its tokens, or of those before it, were computed by decode steps and not by prefill chunks. */
  readonly decoded: boolean;
  /** Its slot in the host tier, as far as is known. */
  host: number | undefined;
}

/** Where a new block is, and what it holds. */
export interface NewBlock {
  readonly hash: { readonly hi: number; readonly lo: number };
  readonly before: Block | undefined;
  readonly slot: number;
  /** Some of its own tokens were computed by decode steps. */
  readonly decoded: boolean;
}

/** All block copies of a cache, found by RouteHash, with counts of those in use. Every operation is O(1). */
export class BlockIndex {
  readonly #byKey = new Map<string, Set<Block>>();
  #count = 0;
  #active = 0;
  #nextNumber = 1;

  /** Copies held. */
  get count(): number {
    return this.#count;
  }

  /** Copies that a live slot holds. */
  get active(): number {
    return this.#active;
  }

  /** The copies with this hash, oldest first. */
  copies(hi: number, lo: number): ReadonlySet<Block> | undefined {
    return this.#byKey.get(keyOf(hi, lo));
  }

  /** A new copy, held by a live slot. */
  add({ hash, before, slot, decoded }: NewBlock): Block {
    const key = keyOf(hash.hi, hash.lo);
    const block: Block = {
      number: this.#nextNumber++,
      key,
      hi: hash.hi,
      lo: hash.lo,
      parent: before?.number ?? 0,
      holders: new Set([slot]),
      live: 1,
      decoded: decoded || before?.decoded === true,
      host: undefined,
    };
    const copies = this.#byKey.get(key);
    if (copies === undefined) this.#byKey.set(key, new Set([block]));
    else copies.add(block);
    this.#count += 1;
    this.#active += 1;
    return block;
  }

  /** A live slot holds `block` too. */
  share(block: Block, slot: number): void {
    block.holders.add(slot);
    if (block.live++ === 0) this.#active += 1;
  }

  /** One live holder of `block` is live no more; it holds it still. */
  retire(block: Block): void {
    if (--block.live === 0) this.#active -= 1;
  }

  /** A slot that is not live gives `block` up. True where nobody holds it now: the copy is gone. */
  release(block: Block, slot: number): boolean {
    block.holders.delete(slot);
    if (block.holders.size > 0) return false;
    const copies = this.#byKey.get(block.key)!;
    copies.delete(block);
    if (copies.size === 0) this.#byKey.delete(block.key);
    this.#count -= 1;
    return true;
  }

  /** Throws where the books differ from what the slots hold; `slots[i]` are the blocks of slot i. */
  checkIntegrity(slots: readonly (readonly Block[])[], isLive: (slot: number) => boolean): void {
    const held = new Map<Block, Set<number>>();
    slots.forEach((blocks, slot) => {
      for (const block of blocks) {
        if (!held.has(block)) held.set(block, new Set());
        held.get(block)!.add(slot);
      }
    });
    let active = 0;
    for (const [block, holders] of held) {
      const live = [...holders].filter(isLive).length;
      if (live > 0) active += 1;
      const same = holders.size === block.holders.size && live === block.live;
      if (!same || [...holders].some((slot) => !block.holders.has(slot))) {
        throw new Error(`block ${block.number} has wrong holders`);
      }
      if (!this.#byKey.get(block.key)?.has(block)) {
        throw new Error(`block ${block.number} is not indexed`);
      }
    }
    let indexed = 0;
    for (const copies of this.#byKey.values()) indexed += copies.size;
    const right = indexed === held.size && indexed === this.#count && active === this.#active;
    if (!right) {
      throw new Error(
        `${held.size} blocks held, ${indexed} indexed, ${this.#count} counted; ` +
          `${active} active, ${this.#active} counted`,
      );
    }
  }
}

function keyOf(hi: number, lo: number): string {
  return `${hi},${lo}`;
}
