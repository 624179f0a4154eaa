import type { Hash64 } from "@pixii/wire";
import { stateBytes } from "./state_blob.ts";
import type { StateShape } from "./state_blob.ts";

/** What blocks this engine keeps in the host tier. */
export interface HostBlockKind {
  readonly layout: Hash64;
  readonly shape: StateShape;
  /** Tokens of a block. */
  readonly blockSize: number;
  /** Bytes of a row of logits. */
  readonly rowBytes: number;
  /** Take no block that decode steps had a part in. */
  readonly prefilledOnly: boolean;
}

/**
 * Bytes of KV in the end of a prompt with `tail` tokens behind its last reusable block. Of a whole block none: that is kept
 * as a block of its own. Undefined where KV and row do not fit the slot of a block: no such end is kept.
 */
export function endStateBytes(
  { shape, blockSize, rowBytes }: HostBlockKind,
  tail: number,
): number | undefined {
  const bytes = tail === blockSize ? 0 : stateBytes(tail, shape);
  return bytes + rowBytes <= stateBytes(blockSize, shape) ? bytes : undefined;
}
