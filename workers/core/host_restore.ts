import { comingPage } from "@pixii/wire";
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
  /** It is the tail fragment of a hand-over: the prompt ends with it, and the first token comes with it. */
  readonly isTail: boolean;
}

/** What became of a block that was to be brought in; the first token with the tail of a hand-over. */
export interface Restored {
  readonly decoded: boolean;
  readonly token?: number;
}

/**
 * The block that follows what a placed sequence has computed, where the host tier has it and it may be reused; `coming`
 * where it is on its way there.
 */
export function nextRestore(
  sequence: Sequence,
  { computed, blockSize }: { readonly computed: number; readonly blockSize: number },
): RestorePlan | "coming" | undefined {
  const { host, slot } = sequence;
  const index = computed / blockSize;
  if (host === undefined || slot === undefined || !Number.isInteger(index)) return undefined;
  const hashes = reusableHashes(sequence, blockSize);
  const isTail = host.tail !== undefined && index === host.slots.length - 1;
  if ((index >= hashes.hi.length && !isTail) || index >= host.slots.length) return undefined;
  if (host.slots[index] === 0) return host.pages[index] === comingPage ? "coming" : undefined;
  const { hi, lo } = isTail ? host.tail! : { hi: hashes.hi[index], lo: hashes.lo[index] };
  return {
    sequence,
    slot,
    index,
    tokens: sequence.tokens.slice(computed, computed + blockSize),
    ...{ hi, lo, isTail },
    parentHi: index === 0 ? 0 : hashes.hi[index - 1],
    parentLo: index === 0 ? 0 : hashes.lo[index - 1],
    host: host.slots[index],
    page: host.pages[index],
  };
}
