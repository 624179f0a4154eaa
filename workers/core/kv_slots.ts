import type { KvEvent, RouteHasher } from "@pixii/wire";
import type { Block } from "./block_index.ts";
import { noSalt } from "./kv_salt.ts";
import type { KvSalt } from "./kv_salt.ts";

/** One sequence of the cache (a sequence id of llama.cpp), and what it holds. */
export interface KvSlot {
  state: "free" | "live" | "cached";
  /** Tokens whose KV is computed. */
  tokens: number[];
  blocks: Block[];
  hasher: RouteHasher | undefined;
  salt: KvSalt;
  /** Tokens from here on were computed by decode. */
  decodedFrom: number;
  lastUse: number;
  /** A prompt was found in it since it is kept. */
  found: boolean;
}

/** The sequences of a cache, and in which order those that are only kept were used. */
export class KvSlots {
  readonly all: readonly KvSlot[];
  #uses = 0;

  constructor(count: number) {
    this.all = Array.from({ length: count }, () => ({
      state: "free",
      tokens: [],
      blocks: [],
      hasher: undefined,
      salt: noSalt,
      decodedFrom: Infinity,
      lastUse: 0,
      found: false,
    }));
  }

  /** One that holds nothing; undefined where there is none. O(slots). */
  firstFree(): number | undefined {
    const at = this.all.findIndex(({ state }) => state === "free");
    return at < 0 ? undefined : at;
  }

  /** It is the most recently used from now on. O(1). */
  use(slot: KvSlot): void {
    slot.lastUse = ++this.#uses;
  }

  /** The least recently used of those that are kept; `unfound`: of those in which no prompt was found since. O(slots). */
  oldestKept(which: "any" | "unfound" = "any"): number | undefined {
    let oldest: number | undefined;
    this.all.forEach((slot, index) => {
      if (slot.state !== "cached" || (which === "unfound" && slot.found)) return;
      if (oldest === undefined || slot.lastUse < this.all[oldest].lastUse) oldest = index;
    });
    return oldest;
  }

  /** All blocks held, parents first. O(blocks). */
  snapshot(): KvEvent[] {
    const events: KvEvent[] = [];
    const said = new Set<Block>();
    for (const slot of this.all) {
      // A prefix may be said already, as another slot's; what follows it is one unbroken run.
      const run = slot.blocks.filter((block) => !said.has(block));
      if (run.length === 0) continue;
      for (const block of run) said.add(block);
      events.push(storedEvent(run));
    }
    return events;
  }

  /** Throws where a slot holds what its state forbids; answers the tokens behind the last whole blocks. O(blocks). */
  checkIntegrity(blockSize: number): number {
    let tails = 0;
    this.all.forEach((slot, index) => {
      const end = slot.blocks.length * blockSize;
      const tail = slot.tokens.length - end;
      tails += tail;
      if (tail < 0 || tail >= blockSize) throw new Error(`slot ${index} has a tail of ${tail}`);
      if (slot.state !== "live" && tail !== 0) {
        throw new Error(`slot ${index} is ${slot.state} with a tail`);
      }
      if (slot.state === "free" && end > 0) throw new Error(`free slot ${index} holds blocks`);
      if (slot.state === "cached" && end === 0) throw new Error(`cached slot ${index} is empty`);
      slot.blocks.forEach((block, i) => {
        if (block.parent !== (i === 0 ? 0 : slot.blocks[i - 1].number)) {
          throw new Error(`block ${block.number} of slot ${index} has another parent`);
        }
      });
    });
    return tails;
  }
}

/** The event of blocks that follow each other; at least one. */
export function storedEvent(blocks: readonly Block[]): KvEvent {
  return {
    op: "stored",
    parent: blocks[0].parent,
    numbers: Uint32Array.from(blocks, (block) => block.number),
    hi: Uint32Array.from(blocks, (block) => block.hi),
    lo: Uint32Array.from(blocks, (block) => block.lo),
  };
}
