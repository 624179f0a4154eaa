import { endHash, routeHashes } from "@pixii/wire";
import type { HashList } from "@pixii/wire";
import type { EndKey } from "../kv_store/kv_store.ts";
import type { KvMap } from "./kv_map.ts";
import type { KvSalt } from "./kv_salt.ts";
import type { LeavingBlock } from "./leaving_block.ts";
import type { Sequence } from "./sequence.ts";

/** Of shorter prompts no end is kept: they are computed nearly as soon, and a slot is as long as a block. */
export const leastEndTokens = 16;

/** What a prompt asks the host tier for. */
export interface PromptKeys {
  /** RouteHashes of its blocks that may be reused: with `end` also of the block that it ends with. */
  readonly routes: HashList;
  /** Key of its end, where one is kept of such a prompt. */
  readonly end: EndKey | undefined;
}

/** How a prompt is asked for: its block size, whose it is, and which tails of so many tokens can be kept. */
export interface EndOptions {
  readonly blockSize: number;
  readonly salt: KvSalt;
  readonly canKeep: (tail: number) => boolean;
}

/** Whole blocks that a prompt may reuse: its last token is always behind them. */
export function wholeBlocks(length: number, blockSize: number): number {
  return Math.max(0, Math.floor((length - 1) / blockSize));
}

/** Keys of a prompt's blocks and of its end. O(tokens). */
export function promptKeys(
  tokens: ArrayLike<number>,
  { blockSize, salt, canKeep }: EndOptions,
): PromptKeys {
  const whole = wholeBlocks(tokens.length, blockSize);
  const tail = tokens.length - whole * blockSize;
  const hasEnd = tokens.length >= leastEndTokens && canKeep(tail);
  const isWhole = tail === blockSize;
  const maxBlocks = whole + (hasEnd && isWhole ? 1 : 0);
  const routes = routeHashes(tokens, { blockSize, maxBlocks, ...salt });
  if (!hasEnd) return { routes, end: undefined };
  const at = (i: number) => ({ hi: routes.hi[i], lo: routes.lo[i] });
  const before = whole === 0 ? undefined : at(whole - 1);
  const behind = Array.from({ length: tail }, (_, i) => tokens[whole * blockSize + i]);
  const body = isWhole ? { body: at(whole) } : undefined;
  return { routes, end: { ...endHash(before, behind, salt), ...body } };
}

/** A prompt's end to keep. */
export interface PromptEnd {
  /** Slot of the cache it is in. */
  readonly slot: number;
  /** Its key, tokens and place. */
  readonly end: LeavingBlock;
  /** The block that the prompt ends with, where that is a whole one: then it is kept as a block, and the end is the row alone. */
  readonly body: LeavingBlock | undefined;
}

/**
 * The end of a placed sequence whose whole prompt is computed while the map does not know of its last chunk yet; nothing of
 * a sequence that was computed before, whose tokens are not the prompt's alone, or too short a one.
 */
export function promptEnd(
  { request, tokens, slot, salt }: Sequence,
  kv: KvMap,
  options: Omit<EndOptions, "salt">,
): PromptEnd | undefined {
  const isPrompt = tokens.length === request.tokens.length && request.emitted === 0;
  if (slot === undefined || !isPrompt) return undefined;
  const { routes, end: key } = promptKeys(tokens, { ...options, salt });
  if (key === undefined) return undefined;
  const { blockSize } = options;
  const whole = wholeBlocks(tokens.length, blockSize);
  // Its last chunk may have more than the tail: those blocks are prefilled, and as good as what is before them.
  const known = kv.computed(slot) / blockSize;
  const place = {
    parentHi: whole === 0 ? 0 : routes.hi[whole - 1],
    parentLo: whole === 0 ? 0 : routes.lo[whole - 1],
    index: whole,
    tokens: Uint32Array.from(tokens.slice(whole * blockSize)),
    ...{ salt, decoded: known > 0 && kv.leaving(slot, known - 1).decoded },
  };
  const { hi, lo, body } = key;
  return { slot, end: { hi, lo, ...place }, body: body && { ...body, ...place } };
}
