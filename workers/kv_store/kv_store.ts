import type { BlockHolder, Hash64, HashList, InstanceId } from "@pixii/wire";

/** A pool of the host tier as this process has it mapped. */
export interface MappedPool {
  /** Counts the pools of this process: what belongs to an older one is void. */
  readonly generation: number;
  readonly kvbm: InstanceId;
  readonly path: string;
  readonly bytes: number;
  /** Where it is mapped; each isolate makes its own views from here. */
  readonly address: bigint;
  readonly pageBytes: number;
  readonly slotBytes: number;
}

/** Key of a prompt's end. */
export interface EndKey extends Readonly<Hash64> {
  /** RouteHash of the block that the prompt ends with, where that is a whole one: it is asked for as the last block. */
  readonly body?: Readonly<Hash64>;
}

/** Blocks of a prompt that the host tier holds, from its first block on; pinned until the lease is released. */
export interface HostRun {
  readonly generation: number;
  readonly lease: number;
  /** Per block: its slot, 0 where it is not there, and the slot's page; of slot 0 `comingPage` where it is on its way. */
  readonly slots: Uint32Array;
  readonly pages: Uint32Array;
  /** 1 where a block was on its way when it was asked for; none were without it. */
  readonly came?: Uint8Array;
  /** The last one is the tail fragment of a hand-over, of this key. */
  readonly tail?: Hash64;
  /** The last one is the prompt's end, of this key. */
  readonly end?: EndKey;
}

/** What became of a block that was on its way: slot 0 = it does not come. */
export interface Landing {
  readonly lease: number;
  /** Place in the run. */
  readonly position: number;
  readonly slot: number;
  readonly page: number;
}

/** How blocks are asked for. */
export interface FindOptions {
  /** Blocks that nobody has are awaited, and after them the tail fragment of this key: for a hand-over. */
  readonly tail?: Hash64;
  /** The prompt's end, asked for after the blocks. */
  readonly end?: EndKey;
  /** The kvbm that will have them, should it be another host's. */
  readonly from?: InstanceId;
  /** Another host's kvbm that has some of them, with what computing those takes: 0 = not known. */
  readonly holder?: BlockHolder & { readonly computeMs: number };
  /** Longest wait, in milliseconds, for the next of so many blocks that are on their way. */
  readonly stallMs: (coming: number) => number;
}

/** Slots that may be written. */
export interface HostSlots {
  readonly generation: number;
  readonly slots: Uint32Array;
  readonly pages: Uint32Array;
}

/** What an engine does with the host tier, as the store tells it. */
export interface HostTierUser {
  /** A pool is there. */
  opened(pool: MappedPool): void;
  /** The pool is lost: resolves when nothing of this process reads or writes it any more. Then it is unmapped. */
  closed(pool: MappedPool): Promise<void>;
  /** Slots to write into. */
  granted(slots: HostSlots): void;
  /** Blocks that have left the pool. */
  gone(generation: number, slots: Uint32Array): void;
  /** What became of blocks that were on their way. */
  landed(generation: number, landings: readonly Landing[]): void;
}

/** The way to the host tier, as an engine uses it. What belongs to an older pool is passed over. */
export interface KvStore {
  /** What the tier holds of these blocks, pinned; nothing where it holds none, is not there or does not answer in time. */
  find(routes: HashList, options: FindOptions): Promise<HostRun | undefined>;
  /** What is on its way under this lease comes within so long, or counts as lost. */
  hurry(lease: number, ms: number): void;
  /** True while a pool is in use. */
  readonly isOpen: boolean;
  /** Leases that are over. */
  release(generation: number, leases: readonly number[]): void;
  /** Blocks that were found damaged. */
  damaged(generation: number, slots: readonly number[]): void;
  /** Blocks that were written: words of `StoreRows` `commit`. Answers how many are stored now. */
  commit(generation: number, words: Uint32Array): Promise<number>;
  /** Blocks that were written for one reader: words of `commitPrivate`. */
  commitPrivate(generation: number, words: Uint32Array): void;
  /** The engine lacks slots. */
  restock(): void;
}

/** An engine's host tier: what it does with one, and the store it is given. */
export interface EngineHostTier extends HostTierUser {
  /** Bytes of a whole stored block. */
  readonly blockBytes: number;
  /** What became of blocks since start. */
  readonly totals: HostTotals;
  use(store: KvStore): void;
}

/** Blocks by what became of them, and milliseconds of the engine's thread. */
export interface HostTotals {
  offloaded: number;
  /** Not kept: no slot at hand, or no time left in the step. */
  dropped: number;
  onboarded: number;
  /** Prompts' ends that were kept, and that were taken: those are among the blocks above too. */
  endsKept: number;
  endsTaken: number;
  /** Not what it had to be, or no room for it. */
  unusable: number;
  damaged: number;
  offloadMs: number;
  onboardMs: number;
  /** All of the engine's steps, and what of them went into blocks: moving them, and deciding which. */
  stepMs: number;
  blocksMs: number;
}
