import type { Block } from "./block_index.ts";
import type { KvSalt } from "./kv_salt.ts";

/** A block whose last copy leaves the device: what the host tier has to know to keep it. */
export interface LeavingBlock {
  readonly hi: number;
  readonly lo: number;
  /** RouteHash of the block before; of no meaning for the first block. */
  readonly parentHi: number;
  readonly parentLo: number;
  /** Place in its sequence. */
  readonly index: number;
  readonly tokens: Uint32Array;
  readonly salt: KvSalt;
  readonly decoded: boolean;
}

/** What leaves with the block at `index` of a slot's blocks. */
export function leavingBlock(
  slot: {
    readonly blocks: readonly Block[];
    readonly tokens: readonly number[];
    readonly salt: KvSalt;
  },
  index: number,
  blockSize: number,
): LeavingBlock {
  const block = slot.blocks[index];
  const parent = index === 0 ? undefined : slot.blocks[index - 1];
  const start = index * blockSize;
  return {
    hi: block.hi,
    lo: block.lo,
    parentHi: parent?.hi ?? 0,
    parentLo: parent?.lo ?? 0,
    index,
    tokens: Uint32Array.from(slot.tokens.slice(start, start + blockSize)),
    salt: slot.salt,
    decoded: block.decoded,
  };
}
