import type { InstanceId } from "@pixii/wire";

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

/** Blocks of a prompt that the host tier holds, from its first block on; pinned until the lease is released. */
export interface HostRun {
  readonly generation: number;
  readonly lease: number;
  /** Per block: its slot, 0 where it is not there, and the slot's page. */
  readonly slots: Uint32Array;
  readonly pages: Uint32Array;
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
}
