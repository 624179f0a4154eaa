import { spellBytes } from "./byte_letters.ts";
import { slotsFor } from "./token_table.ts";
import type { TokenTable } from "./token_table.ts";

/** A merge as a `tokenizer.json` writes it: the two parts in byte letters. */
export type MergeText = string | readonly string[];

/** Longest merge in code units that is kept: far over any, as merges make tokens of some dozen bytes. */
const longestMerge = 1024;
/** Numbers per slot: left, right, rank, merged. */
const slotWords = 4;

/**
 * The merges by their two symbols. A symbol is a token, or an id from `tokens.size` on for a piece of text that is no
 * token: a byte or a merge the vocabulary lacks. About 33 bytes a merge.
 */
export class MergeTable {
  readonly #tokens: TokenTable;
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #byteSymbols = new Int32Array(256);
  /** Symbols that are no tokens, by their bytes in Latin-1. */
  readonly #extras = new Map<string, number>();
  /** Per symbol that is no token: the tokens that are written for it, as llama.cpp does. */
  readonly #extraTokens: (readonly number[])[] = [];

  /** Of two equal merges the first counts; one that is not spelled in byte letters can never apply and is left out. */
  constructor(tokens: TokenTable, merges: readonly MergeText[]) {
    this.#tokens = tokens;
    this.#slots = new Int32Array(slotWords * slotsFor(merges.length)).fill(-1);
    this.#mask = this.#slots.length / slotWords - 1;
    const bytes = new Uint8Array(longestMerge);
    for (let byte = 0; byte < 256; byte++) {
      bytes[0] = byte;
      this.#byteSymbols[byte] = this.#symbolOf(bytes, 0, 1);
    }
    merges.forEach((merge, rank) => this.#add(merge, rank, bytes));
  }

  /** The symbol of a single byte. */
  symbolOfByte(byte: number): number {
    return this.#byteSymbols[byte];
  }

  /** Slot of a pair, -1 where it is never merged. Expected O(1). */
  find(left: number, right: number): number {
    const slots = this.#slots;
    const mask = this.#mask;
    for (let slot = hashOfPair(left, right) & mask;; slot = slot + 1 & mask) {
      const at = slot * slotWords;
      if (slots[at] === left && slots[at + 1] === right) return at;
      if (slots[at] === -1) return -1;
    }
  }

  /** Rank of the merge in a slot: the lower, the earlier it applies. */
  rankAt(slot: number): number {
    return this.#slots[slot + 2];
  }

  /** The symbol that the merge in a slot makes. */
  mergedAt(slot: number): number {
    return this.#slots[slot + 3];
  }

  /** What is written for a symbol that is no token; often nothing. */
  tokensOfExtra(symbol: number): readonly number[] {
    return this.#extraTokens[symbol - this.#tokens.size];
  }

  #add(merge: MergeText, rank: number, bytes: Uint8Array): void {
    const [left, right] = typeof merge === "string" ? halvesOf(merge) : merge;
    if (left.length + right.length > bytes.length) return;
    const middle = spellBytes(left, bytes, { at: 0, from: 0, to: left.length });
    if (middle === undefined || middle === 0) return;
    const rest = spellBytes(right, bytes, { at: middle, from: 0, to: right.length });
    if (rest === undefined || rest === 0) return;
    const leftSymbol = this.#symbolOf(bytes, 0, middle);
    const rightSymbol = this.#symbolOf(bytes, middle, middle + rest);
    if (this.find(leftSymbol, rightSymbol) >= 0) return;
    const slots = this.#slots;
    let slot = hashOfPair(leftSymbol, rightSymbol) & this.#mask;
    while (slots[slot * slotWords] !== -1) slot = slot + 1 & this.#mask;
    slots[slot * slotWords] = leftSymbol;
    slots[slot * slotWords + 1] = rightSymbol;
    slots[slot * slotWords + 2] = rank;
    slots[slot * slotWords + 3] = this.#symbolOf(bytes, 0, middle + rest);
  }

  #symbolOf(bytes: Uint8Array, from: number, to: number): number {
    const token = this.#tokens.find(bytes, from, to);
    if (token >= 0) return token;
    const text = String.fromCharCode(...bytes.subarray(from, to));
    const known = this.#extras.get(text);
    if (known !== undefined) return known;
    const symbol = this.#tokens.size + this.#extraTokens.length;
    this.#extras.set(text, symbol);
    // llama.cpp looks up each byte of the spelling: one letter outside ASCII is two bytes, which are no tokens.
    const tokens: number[] = [];
    for (let i = from; i < to; i++) {
      const isAscii = bytes[i] >= 0x21 && bytes[i] <= 0x7e;
      const id = isAscii ? this.#tokens.find(bytes, i, i + 1) : -1;
      if (id >= 0) tokens.push(id);
    }
    this.#extraTokens.push(tokens);
    return symbol;
  }
}

/** Parts of a merge in one string: cut at the first space that does not start it. */
function halvesOf(merge: string): readonly [string, string] {
  const at = merge.indexOf(" ", 1);
  return at < 0 ? ["", ""] : [merge.slice(0, at), merge.slice(at + 1)];
}

function hashOfPair(left: number, right: number): number {
  let h = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return h ^ h >>> 13;
}
