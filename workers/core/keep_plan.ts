import type { KvMap } from "./kv_map.ts";
import type { LeavingBlock } from "./leaving_block.ts";
import type { Sequence } from "./sequence.ts";

/** A block of a placed sequence to keep in the host tier while it is on the device too. */
export interface KeepPlan {
  readonly sequence: Sequence;
  /** Slot of the cache it is in. */
  readonly slot: number;
  readonly block: LeavingBlock;
}

/**
 * The next whole block of a placed sequence's prompt that the host tier is not known to hold. It would be handed down when
 * the prompt ends, while the next one waits for its cells. Blocks of the answer change with it and are left to that time.
 * O(blocks passed over), each once.
 */
export function nextKeep(sequence: Sequence, kv: KvMap, blockSize: number): KeepPlan | undefined {
  const { request, slot } = sequence;
  if (slot === undefined) return undefined;
  const end = Math.floor(Math.min(kv.computed(slot), request.tokens.length) / blockSize);
  for (; sequence.kept < end; sequence.kept++) {
    if (!kv.isHosted(slot, sequence.kept)) {
      return { sequence, slot, block: kv.leaving(slot, sequence.kept) };
    }
  }
  return undefined;
}
