import { xxh64 } from "./xxh64.ts";
import type { Hash64 } from "./xxh64.ts";

/**
 * A prompt's end, as workers keep it in the tiers below the device: the KV of the tokens behind the last whole block that
 * the prompt may reuse (1 to a whole block of them), and the row of logits behind its last token. With it and the blocks
 * before it a prompt that comes again needs no computing for its first token.
 */

/** Set in the place of a block (`index` of a commit, of an index on disk): it is a prompt's end. No router hears of it. */
export const endMark = 0x80000000;

/** True for the place of a prompt's end. */
export function isEndIndex(index: number): boolean {
  return index >= endMark;
}

/**
 * Key of a prompt's end: `xxh64(R lo, R hi, tail tokens, seed)`, all u32 LE, where R is the RouteHash of the last whole
 * block before it (0, 0 where there is none) and the seed is `xxh64("pixii-end-1|" + adapter + "|" + tenant)`. It is no
 * RouteHash: no prompt goes on from it. O(tokens).
 */
export function endHash(
  before: Readonly<Hash64> | undefined,
  tail: ArrayLike<number>,
  salt: { readonly adapterDigest: string; readonly tenantSalt: string },
): Hash64 {
  const text = `pixii-end-1|${salt.adapterDigest}|${salt.tenantSalt}`;
  const bytes = new Uint8Array(8 + 4 * tail.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, before?.lo ?? 0, true);
  view.setUint32(4, before?.hi ?? 0, true);
  for (let i = 0; i < tail.length; i++) view.setUint32(8 + 4 * i, tail[i], true);
  return xxh64(bytes, xxh64(new TextEncoder().encode(text)));
}
