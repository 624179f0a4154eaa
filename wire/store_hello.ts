import { z } from "zod";
import { count, instanceId, label, modelHash, u32 } from "./field.ts";

/**
 * worker -> kvbm, first on each connection: who it is and what its blocks are. It says too that the worker holds no
 * slot of an earlier connection any more: what that had reserved or pinned is free.
 */
export const storeHello = z.object({
  instance: instanceId,
  /** The process that writes into the pool, and when it began: its slots are taken back only when it is gone. */
  pid: u32,
  processStart: label,
  /** Whose events tell of these blocks. */
  model: modelHash,
  layoutFingerprint: label,
  /** Tokens of a block. */
  blockSize: u32.min(1),
  /** Bytes of a whole stored block: header and payload. */
  blockBytes: count.min(1),
});
/** Who a worker is and what its blocks are. */
export type StoreHello = z.infer<typeof storeHello>;

/** kvbm -> worker: where the pool is and how slots lie in it. */
export const storeWelcome = z.object({
  kvbm: instanceId,
  /** File to map, and its size. */
  path: label,
  poolBytes: count.min(1),
  /** Unit of the offsets in `StoreRows`. */
  pageBytes: u32.min(1),
  /** Bytes of a slot: `blockBytes` rounded up. */
  slotBytes: count.min(1),
  /** Most slots this worker may have reserved at a time. */
  mostReserved: u32.min(1),
});
/** Where the pool is. */
export type StoreWelcome = z.infer<typeof storeWelcome>;
