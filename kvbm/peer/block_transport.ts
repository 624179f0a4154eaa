import type { InstanceId, Result } from "@pixii/wire";
import type { SlotToFill } from "../core/block_source.ts";

/** The kind of blocks that one link carries. */
export interface BlockKind {
  /** Hash of the layout's fingerprint. */
  readonly hi: number;
  readonly lo: number;
  /** Tokens of a block. */
  readonly blockSize: number;
  /** Bytes of a slot: no block is longer. */
  readonly slotBytes: number;
}

/**
 * What became of a block that was pulled: it is in its slot, whole and of the key that was asked for; the other side has
 * it not; what came is not that block; the link ended before it was there: it may be asked for again.
 */
export type PullEnd = "landed" | "gone" | "damaged" | "cut";

/** What a pull took. */
export interface PullSample {
  /** Until the first block was on its way, where nothing else was asked for before; else left out. */
  readonly waitMs: number | undefined;
  /** Bytes of the blocks that came, and from the first to the last of them. */
  readonly bytes: number;
  readonly movingMs: number;
}

/** Blocks to bring. At most `mostTransferRows` of `wire`. */
export interface PullOrder {
  readonly blocks: readonly SlotToFill[];
  /** Called exactly once per block, in any order; after it its slot is touched no more. */
  readonly done: (at: number, end: PullEnd) => void;
  /** Called after the last `done`. */
  readonly measured?: (sample: PullSample) => void;
}

/** Blocks that may be there later. At most `mostTransferRows`. */
export interface WatchOrder {
  /** Rows of route lo, hi. */
  readonly routes: Uint32Array;
  /** These are there and stay until the watch ends. */
  readonly there: (places: readonly number[]) => void;
  /** These do not come. With the link's end all that were not there are gone. */
  readonly gone: (places: readonly number[]) => void;
}

/** A way to another block manager for blocks of one kind. */
export interface BlockLink extends Disposable {
  /** The block manager at the other end. */
  readonly kvbm: InstanceId;
  /** What the greeting took. */
  readonly roundTripMs: number;
  /** A sentence, when the link is over and every slot is let go of. Never rejects. */
  readonly ended: Promise<string>;
  /** True once it moves nothing any more; `ended` follows, and before it `gone` and `cut` of what was open. */
  readonly isOver: boolean;
  /** Bytes of slots that are to be filled. */
  readonly openBytes: number;
  /** On a link that is over every block is `cut`. */
  pull(order: PullOrder): void;
  /** Dispose it when nobody waits any more. */
  watch(order: WatchOrder): Disposable;
}

/** What a giver has of a block. */
export type Shelved = Uint8Array<ArrayBuffer> | "coming" | "gone";

/** The blocks of one kind that a block manager gives to one asker, while their link lasts. Disposed with it. */
export interface BlockShelf extends Disposable {
  /** Header and payload of blocks (rows of route lo, hi) that are there, kept as they are until `release` of the lease. */
  find(lease: number, routes: Uint32Array): readonly Shelved[];
  /** As `find`, but what is not there is coming, whoever brings it. */
  await(lease: number, routes: Uint32Array): readonly Shelved[];
  /** The lease is over; what was still coming for it is no longer told. */
  release(lease: number): void;
}

/** Who hears of blocks that were coming. */
export interface ShelfEars {
  /** The view is kept as it is until the lease is over. */
  readonly landed: (lease: number, place: number, view: Uint8Array<ArrayBuffer>) => void;
  readonly lost: (lease: number, place: number) => void;
}

/** The giving side of a block manager. */
export interface BlockGiver {
  /** Why blocks of this kind cannot be given, a sentence; nothing where they can. */
  refusal(kind: BlockKind): string | undefined;
  /** A shelf for an asker; only after `refusal` had nothing to say. */
  open(asker: InstanceId, kind: BlockKind, ears: ShelfEars): BlockShelf;
}

/** Where askers reach a giver. */
export interface BlockDoor extends AsyncDisposable {
  /** `HOST:PORT`, for the card. */
  readonly address: string;
}

/** How blocks get from one host to another: byte streams today; what moves memory by itself can stand behind it, too. */
export interface BlockTransport {
  /** Gives blocks to whoever comes to the address and is let in. */
  listen(address: string, giver: BlockGiver): Promise<Result<BlockDoor>>;
  /** A link to whoever listens there. `no_responders`: nobody answers; `unauthorized`, `invalid_request`: refused, a sentence. */
  dial(address: string, kind: BlockKind): Promise<Result<BlockLink>>;
}
