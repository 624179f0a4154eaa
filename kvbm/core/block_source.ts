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

/** Blocks that another block manager does not have yet and will have. */
export interface WatchOrder {
  readonly layout: PoolLayout;
  /** Rows of route lo, hi. */
  readonly routes: Uint32Array;
  readonly from: InstanceId;
  /** These are there now and can be fetched while the watch lasts. */
  readonly there: (places: readonly number[]) => void;
  /** These do not come; may be called at once. */
  readonly gone: (places: readonly number[]) => void;
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
  readonly fetch: (order: FetchOrder) => void;
  /** Peers only: says when blocks are there that somebody computes. Dispose it when nobody waits for them any more. */
  watch?(order: WatchOrder): Disposable;
}
