import { reusableHashes } from "./sequence.ts";
import type { Sequence } from "./sequence.ts";

/** The next block of a sequence to take from the host tier: where it is, and what it has to be. */
export interface RestorePlan {
  readonly sequence: Sequence;
  /** Slot of the cache it goes to the end of. */
  readonly slot: number;
  readonly index: number;
  readonly tokens: readonly number[];
  readonly hi: number;
  readonly lo: number;
  readonly parentHi: number;
  readonly parentLo: number;
  /** Its slot in the host tier, and that slot's page. */
  readonly host: number;
  readonly page: number;
}

/** The block that follows what a placed sequence has computed, where the host tier has it and it may be reused. */
export function nextRestore(
  sequence: Sequence,
  { computed, blockSize }: { readonly computed: number; readonly blockSize: number },
): RestorePlan | undefined {
  const { host, slot } = sequence;
  const index = computed / blockSize;
  if (host === undefined || slot === undefined || !Number.isInteger(index)) return undefined;
  const hashes = reusableHashes(sequence, blockSize);
  if (index >= hashes.hi.length || index >= host.slots.length || host.slots[index] === 0) {
    return undefined;
  }
  return {
    sequence,
    slot,
    index,
    tokens: sequence.tokens.slice(computed, computed + blockSize),
    hi: hashes.hi[index],
    lo: hashes.lo[index],
    parentHi: index === 0 ? 0 : hashes.hi[index - 1],
    parentLo: index === 0 ? 0 : hashes.lo[index - 1],
    host: host.slots[index],
    page: host.pages[index],
  };
}
