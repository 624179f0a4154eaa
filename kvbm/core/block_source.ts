import type { InstanceId } from "@pixii/wire";
import type { PoolLayout } from "./pool_client.ts";
import type { OwnedTier } from "./tier_room.ts";

/** A reserved slot of the host pool that a source fills with a block. */
export interface SlotToFill {
  /** RouteHash of the block wanted. */
  readonly hi: number;
  readonly lo: number;
  /** The whole slot in the mapped pool: whole pages, aligned to one. */
  readonly view: Uint8Array<ArrayBuffer>;
}

/** Blocks to bring, first block of a prompt first. */
export interface FetchOrder {
  readonly layout: PoolLayout;
  readonly blocks: readonly SlotToFill[];
  /** Block manager that is said to hold them; of use to peers only. */
  readonly from: InstanceId | undefined;
  /**
   * To be called exactly once per block (its place in `blocks`), in any order, now or later. `landed`: header and payload
   * are in the view, checksums verified, key as wanted. After it the source touches the view no more.
   */
  readonly done: (at: number, outcome: "landed" | "lost") => void;
}

/** A tier below the host pool, or another host: where blocks can be brought from. */
export interface BlockSource {
  readonly tier: OwnedTier;
  /**
   * Which of these blocks (rows of route lo, hi) it has by its own books: a byte per block, 1 = yes. Answers at once.
   * `from`: a block manager that the asker was told of; sources that are no peers pass over it.
   */
  holds(layout: PoolLayout, routes: Uint32Array, from: InstanceId | undefined): Uint8Array;
  /** Brings blocks; never throws, never blocks. What `holds` said a moment ago may be untrue by now: such a block is lost. */
  fetch(order: FetchOrder): void;
}
