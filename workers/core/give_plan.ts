import { tailHash } from "@pixii/wire";
import type { KvMap } from "./kv_map.ts";
import type { LeavingBlock } from "./leaving_block.ts";
import type { Sequence } from "./sequence.ts";

/** A block of a placed sequence to hand to another worker. */
export interface GivePlan {
  readonly sequence: Sequence;
  /** Slot of the cache it is in. */
  readonly slot: number;
  readonly block: LeavingBlock;
  /** The block is the tail fragment; with it goes the first token and its output index. */
  readonly handover: { readonly token: number; readonly index: number } | undefined;
}

/** True where a sequence gives what it computes to another worker. */
export function isGiving({ request }: Sequence): boolean {
  return request.handover?.part === "give";
}

/**
 * The next block that a placed sequence has to give: its whole blocks as far as they are computed and a reader may reuse
 * them, then, once its first token is drawn, the tail. Blocks that the host tier has already are passed over.
 */
export function nextGive(sequence: Sequence, kv: KvMap, blockSize: number): GivePlan | undefined {
  const { request, slot, salt, held, firstToken } = sequence;
  if (slot === undefined) return undefined;
  const { length } = request.tokens;
  const whole = Math.floor((length - 1) / blockSize);
  const computed = Math.min(whole, Math.floor(kv.computed(slot) / blockSize));
  for (; sequence.given < computed; sequence.given++) {
    if (kv.isHosted(slot, sequence.given)) continue;
    if (held !== undefined && (held[sequence.given] ?? 0) !== 0) continue;
    const block = kv.leaving(slot, sequence.given);
    return { sequence, slot, block, handover: undefined };
  }
  if (firstToken === undefined) return undefined;
  const before = whole === 0 ? undefined : kv.leaving(slot, whole - 1);
  const { hi, lo } = tailHash(request.key, request.emitted);
  return {
    sequence,
    slot,
    block: {
      ...{ hi, lo, parentHi: before?.hi ?? 0, parentLo: before?.lo ?? 0, index: whole },
      tokens: request.tokens.slice(whole * blockSize),
      ...{ salt, decoded: before?.decoded ?? false },
    },
    handover: { token: firstToken, index: request.emitted },
  };
}
