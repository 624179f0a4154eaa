import { comingPage } from "@pixii/wire";
import { reusableHashes } from "./sequence.ts";
import type { Sequence } from "./sequence.ts";
import type { HostRun } from "../kv_store/kv_store.ts";

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
  /** It is the prompt's end: with it nothing is left to compute before the first token. */
  readonly end: EndPlan | undefined;
}

/** What an end is taken with. */
export interface EndPlan {
  /** The whole block that the prompt ends with, which is a block of its own. */
  readonly body: Pick<RestorePlan, "hi" | "lo" | "host" | "page"> | undefined;
}

/**
 * What became of a block that was to be brought in; the first token with the tail of a hand-over, the row of logits behind
 * the prompt's last token with its end: it may be written to, and holds until the next block is brought in.
 */
export interface Restored {
  readonly decoded: boolean;
  readonly token?: number;
  readonly row?: Float32Array;
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
  if (host.end !== undefined && index === hashes.hi.length) {
    return nextEnd(sequence, { host, slot, index, blockSize });
  }
  const isTail = host.tail !== undefined && index === host.slots.length - 1;
  if ((index >= hashes.hi.length && !isTail) || index >= host.slots.length) return undefined;
  if (host.slots[index] === 0) return host.pages[index] === comingPage ? "coming" : undefined;
  const { hi, lo } = isTail ? host.tail! : { hi: hashes.hi[index], lo: hashes.lo[index] };
  return {
    sequence,
    slot,
    index,
    tokens: sequence.tokens.slice(computed, computed + blockSize),
    ...{ hi, lo, isTail, end: undefined },
    parentHi: index === 0 ? 0 : hashes.hi[index - 1],
    parentLo: index === 0 ? 0 : hashes.lo[index - 1],
    host: host.slots[index],
    page: host.pages[index],
  };
}

/** The end of a prompt whose reusable blocks are all in the cache, with the block that it may end with. */
function nextEnd(
  sequence: Sequence,
  { host, slot, index, blockSize }: {
    readonly host: HostRun;
    readonly slot: number;
    readonly index: number;
    readonly blockSize: number;
  },
): RestorePlan | "coming" | undefined {
  const { slots, pages } = host;
  const { hi, lo, body: block } = host.end!;
  const last = slots.length - 1;
  // Without the block that the prompt ends with its row is of no use, nor is that without the row.
  const wanted = block === undefined ? [last] : [index, last];
  const isThere = wanted.every((at) => slots[at] !== 0);
  if (!isThere) {
    const isComing = wanted.every((at) => slots[at] !== 0 || pages[at] === comingPage);
    return isComing ? "coming" : undefined;
  }
  const body = block && { ...block, host: slots[index], page: pages[index] };
  const { hashes, tokens } = sequence;
  return {
    ...{ sequence, slot, index, tokens: tokens.slice(index * blockSize) },
    ...{ hi, lo, isTail: false, end: { body } },
    parentHi: index === 0 ? 0 : hashes.hi[index - 1],
    parentLo: index === 0 ? 0 : hashes.lo[index - 1],
    ...{ host: slots[last], page: pages[last] },
  };
}
