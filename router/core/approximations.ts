import type { HashList, KvEvent } from "@pixii/wire";
import type { OpenStream } from "./event_streams.ts";

/** What is kept of the decisions for engines without events. */
export interface ApproxRules {
  /** How long a block is supposed to be held after the last decision that named it; 0 = nothing is supposed. */
  readonly ttlMs: number;
  /** Blocks supposed of all ranks together. */
  readonly blocks: number;
}

/** What became of supposed blocks since the start. */
export interface ApproxCounts {
  added: number;
  /** Not named for the whole time. */
  expired: number;
  /** Gone for want of room, the longest unnamed first. */
  pruned: number;
  /** Given up because the engine's own events came. */
  replaced: number;
}

interface Supposed {
  readonly source: Source;
  readonly number: number;
  readonly hi: number;
  readonly lo: number;
  untilMs: number;
}

interface Source {
  readonly opened: OpenStream;
  /** By the low half of the hash; several blocks may share it. */
  readonly blocks: Map<number, Supposed[]>;
  size: number;
}

interface Named {
  readonly one: Supposed;
  readonly isFresh: boolean;
}

/**
 * The index of engines that publish no events: after each decision the chosen rank is supposed to hold the prompt's
 * blocks for a time, under the owner's own slot. Blocks go in the order in which they were last named, the end of a
 * prompt before its beginning, so that no hole is left. Pure: time is an argument; its going back only makes blocks
 * stay longer, never more of them.
 */
export class Approximations {
  readonly counts: ApproxCounts = { added: 0, expired: 0, pruned: 0, replaced: 0 };
  readonly #rules: ApproxRules;
  readonly #sources = new Map<string, Source>();
  /** All supposed blocks, the longest unnamed first. */
  readonly #order = new Set<Supposed>();
  #lastNumber = 0;

  constructor(rules: ApproxRules) {
    this.#rules = rules;
  }

  /** Blocks supposed. */
  get blocks(): number {
    return this.#order.size;
  }

  /** True where blocks of this source are supposed. */
  has(key: string): boolean {
    return this.#sources.has(key);
  }

  /** A decision sends a prompt to the rank that owns `opened`, which tells of no events. O(blocks of the prompt). */
  placed(opened: OpenStream, list: HashList, nowMs: number): void {
    const { ttlMs, blocks: most } = this.#rules;
    if (ttlMs === 0 || most === 0) return;
    const source = this.#sources.get(opened.key) ?? { opened, blocks: new Map(), size: 0 };
    const chain = this.#chain(source, list, most);
    for (const { one, isFresh } of chain) if (!isFresh) this.#order.delete(one);
    const fresh = chain.reduce((sum, { isFresh }) => sum + (isFresh ? 1 : 0), 0);
    const known = chain.length - fresh;
    // Those named now are out of the order: they are safe from being pruned.
    this.#prune(fresh - (most - known - this.#order.size));
    this.#sources.set(opened.key, source);
    if (!this.#store(source, chain)) {
      // No room in the index: nothing of this owner counts until its next decision.
      this.counts.pruned += source.size;
      opened.index.clear(opened.slot);
      this.closed(opened.key);
      return;
    }
    // The beginning of a prompt is named last: it outlives what follows it.
    for (const { one } of chain.reverse()) {
      one.untilMs = nowMs + ttlMs;
      this.#order.add(one);
    }
    if (source.size === 0) this.#sources.delete(opened.key);
  }

  /** Drops what was not named for its time; returns how many. O(dropped). */
  expire(nowMs: number): number {
    const over: Supposed[] = [];
    for (const one of this.#order) {
      if (one.untilMs > nowMs) break;
      over.push(one);
    }
    this.#forget(over);
    this.counts.expired += over.length;
    return over.length;
  }

  /** The owner's own events or a snapshot come: nothing is supposed of it any more. O(its blocks). */
  replaced(key: string): void {
    const source = this.#sources.get(key);
    if (source === undefined) return;
    this.counts.replaced += source.size;
    const { index, slot } = source.opened;
    index.clear(slot);
    this.closed(key);
  }

  /** The owner is gone from the index, with its blocks. O(its blocks). */
  closed(key: string): void {
    const source = this.#sources.get(key);
    if (source === undefined) return;
    this.#sources.delete(key);
    for (const same of source.blocks.values()) for (const one of same) this.#order.delete(one);
  }

  /** Throws where the books do not add up. O(blocks). */
  checkIntegrity(): void {
    let size = 0;
    for (const [key, source] of this.#sources) {
      let own = 0;
      for (const same of source.blocks.values()) own += same.length;
      if (own !== source.size || own === 0) throw new Error(`${key} counts wrong`);
      if (source.opened.index.blocksOf(source.opened.slot) > own) {
        throw new Error(`${key} holds more than is supposed`);
      }
      size += own;
    }
    if (size !== this.#order.size) {
      throw new Error(`${size} supposed, ${this.#order.size} in order`);
    }
    if (size > this.#rules.blocks) {
      throw new Error(`${size} are supposed, ${this.#rules.blocks} may`);
    }
  }

  /** The blocks of a prompt, known ones and new ones, at most `most`. */
  #chain(source: Source, list: HashList, most: number): Named[] {
    const { index, slot } = source.opened;
    const held = new Uint8Array(list.lo.length);
    index.holds(slot, list, held);
    const chain: Named[] = [];
    for (let i = 0; i < Math.min(list.lo.length, most); i++) {
      const [hi, lo] = [list.hi[i], list.lo[i]];
      const found = source.blocks.get(lo)?.find((one) => one.hi === hi);
      if (found !== undefined && held[i] === 1) {
        chain.push({ one: found, isFresh: false });
        continue;
      }
      // The index may have forgotten it for want of room.
      if (found !== undefined) this.#forget([found]);
      const one = { source, number: this.#newNumber(), hi, lo, untilMs: 0 };
      chain.push({ one, isFresh: true });
    }
    return chain;
  }

  /** Indexes the new blocks of a prompt in runs behind what they follow; false where there is no room. */
  #store(source: Source, chain: readonly Named[]): boolean {
    const { index, slot } = source.opened;
    const events: KvEvent[] = [];
    for (let at = 0; at < chain.length;) {
      let end = at;
      while (end < chain.length && chain[end].isFresh) end += 1;
      const run = chain.slice(at, end).map(({ one }) => one);
      if (run.length > 0) {
        events.push({
          ...{ op: "stored", parent: at === 0 ? 0 : chain[at - 1].one.number },
          numbers: Uint32Array.from(run, (one) => one.number),
          hi: Uint32Array.from(run, (one) => one.hi),
          lo: Uint32Array.from(run, (one) => one.lo),
        });
      }
      for (const one of run) {
        const same = source.blocks.get(one.lo);
        if (same === undefined) source.blocks.set(one.lo, [one]);
        else same.push(one);
      }
      source.size += run.length;
      this.counts.added += run.length;
      at = end + 1;
    }
    return events.length === 0 || !index.apply(slot, events).isFull;
  }

  /** Drops the longest unnamed blocks. */
  #prune(count: number): void {
    if (count <= 0) return;
    const over: Supposed[] = [];
    for (const one of this.#order) {
      if (over.length >= count) break;
      over.push(one);
    }
    this.counts.pruned += over.length;
    this.#forget(over);
  }

  /** Takes blocks out of index and books. */
  #forget(blocks: readonly Supposed[]): void {
    const bySource = new Map<Source, number[]>();
    for (const one of blocks) {
      const { source } = one;
      this.#order.delete(one);
      const rest = source.blocks.get(one.lo)!.filter((other) => other !== one);
      if (rest.length === 0) source.blocks.delete(one.lo);
      else source.blocks.set(one.lo, rest);
      source.size -= 1;
      const numbers = bySource.get(source);
      if (numbers === undefined) bySource.set(source, [one.number]);
      else numbers.push(one.number);
    }
    for (const [source, numbers] of bySource) {
      const { index, slot, key } = source.opened;
      index.apply(slot, [{ op: "removed", numbers: Uint32Array.from(numbers) }]);
      if (source.size === 0) this.#sources.delete(key);
    }
  }

  /** Numbers go round after 2^32 - 1: by then the first are long gone. */
  #newNumber(): number {
    this.#lastNumber = this.#lastNumber >= 0xffff_ffff ? 1 : this.#lastNumber + 1;
    return this.#lastNumber;
  }
}
