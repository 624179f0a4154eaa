import type { HashList, KvEvent } from "@pixii/wire";

/** An owner inside one index; a small integer, given by `open` and used again after `drop`. */
export type OwnerSlot = number;

/** Whose blocks count for one candidate, by tier. */
export interface TierOwners {
  readonly device?: OwnerSlot;
  readonly host?: OwnerSlot;
  readonly disk?: OwnerSlot;
}

/** What applying a batch's events came to. */
export interface ApplyOutcome {
  /** The budget has no room, and nothing can be evicted: the owner holds a part of its blocks and must be cleared. */
  readonly isFull: boolean;
  /** Events that contradict what is known: removal of a number that is neither known nor evicted, a number stored twice. */
  readonly anomalies: number;
}

/** Values that `overlaps` writes per candidate: blocks in device, host, disk. */
export const overlapStride = 3;

/**
 * Which owner holds which blocks of one model and block size. Membership is a count per (owner, hash): engines store
 * and remove copies of one block, and it ends with the last. A RouteHash names a block with everything before it.
 */
export interface PrefixIndex {
  /** Owners that were opened and not dropped. */
  readonly owners: number;
  /** Block copies of all owners. */
  readonly blocks: number;
  /** Adds an owner without blocks. */
  open(): OwnerSlot;
  /** Applies events in order, as far as the budget goes. O(blocks named). */
  apply(owner: OwnerSlot, events: readonly KvEvent[]): ApplyOutcome;
  /**
   * Applies the events in `bytes` from `at` on, as `wire/kv_events.ts` lays them out, `ops` of them; nothing, and nothing
   * is applied, where they are damaged. O(blocks named), without an object per event.
   */
  applyEncoded(
    owner: OwnerSlot,
    bytes: Uint8Array,
    body: { readonly at: number; readonly ops: number },
  ): ApplyOutcome | undefined;
  /** Forgets an owner's blocks. O(its blocks). */
  clear(owner: OwnerSlot): void;
  /** Forgets an owner and its blocks. */
  drop(owner: OwnerSlot): void;
  /** Block copies of one owner. */
  blocksOf(owner: OwnerSlot): number;
  /** How many blocks from the start of `list`, which begins a prompt, the owner holds without a hole. */
  longestPrefix(owner: OwnerSlot, list: HashList): number;
  /**
   * `out[i]` becomes 1 where the owner holds block i of `list`, which goes on from the start of a prompt, and 0 where it
   * does not; holes are no end. `out` has a byte per block. O(blocks of the list).
   */
  holds(owner: OwnerSlot, list: HashList, out: Uint8Array): void;
  /**
   * All that an owner holds, as `stored` events: applied to an owner without blocks they give the same membership, under
   * the same numbers. Runs as long as they are known; a parent that is not known is 0. O(its blocks).
   */
  snapshot(owner: OwnerSlot): Iterable<KvEvent>;
  /**
   * For each candidate j, the blocks from the start of `list` that it holds in some tier without a hole, each counted
   * for the best tier that has it: `out[3 j]` device, `out[3 j + 1]` host, `out[3 j + 2]` disk. `out` holds at least
   * 3 values per candidate. O(longest overlap x candidates), without an allocation per block.
   */
  overlaps(list: HashList, candidates: readonly TierOwners[], out: Uint32Array): void;
  /** Gives its memory back to the budget: the index may not be used any more. */
  release(): void;
  /** Throws where the books do not add up. */
  checkIntegrity(): void;
}
