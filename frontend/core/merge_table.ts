import { slotsFor } from "./byte_hash.ts";
import { spellBytes } from "./byte_letters.ts";
import type { TokenTable } from "./token_table.ts";

/** A merge as a `tokenizer.json` writes it: the two parts in byte letters. */
export type MergeText = string | readonly string[];

/** Longest merge in code units that is kept: far over any, as merges make tokens of some dozen bytes. */
const longestMerge = 1024;
/** Numbers per slot: left, right, rank, merged. */
const slotWords = 4;

/** What a merge table consists of, in memory that threads can share but for the few extras. */
export interface MergeTableData {
  /** Hash table: left, right, rank and merged symbol of each; -1 where a slot is free. */
  readonly slots: Int32Array;
  /** Symbol of each byte. */
  readonly byteSymbols: Int32Array;
  /** Tokens that are written for each symbol that is no token, in the order of symbols. */
  readonly extraTokens: readonly (readonly number[])[];
}

/**
 * The merges by their two symbols. A symbol is a token, or an id from the tokens' size on for a piece of text that is
 * no token: a byte or a merge the vocabulary lacks. About 33 bytes a merge.
 */
export class MergeTable {
  readonly data: MergeTableData;
  readonly #slots: Int32Array;
  readonly #mask: number;
  readonly #size: number;

  /** `size` is that of the tokens. */
  constructor(data: MergeTableData, size: number) {
    this.data = data;
    this.#slots = data.slots;
    this.#mask = data.slots.length / slotWords - 1;
    this.#size = size;
  }

  /** Makes the table. Of two equal merges the first counts; one not spelled in byte letters never applies: left out. */
  static of(tokens: TokenTable, merges: readonly MergeText[]): MergeTable {
    const slots = new Int32Array(new SharedArrayBuffer(4 * slotWords * slotsFor(merges.length)));
    const byteSymbols = new Int32Array(new SharedArrayBuffer(4 * 256));
    const symbols = new Symbols(tokens);
    const table = new MergeTable(
      { slots: slots.fill(-1), byteSymbols, extraTokens: symbols.extraTokens },
      tokens.size,
    );
    const bytes = new Uint8Array(longestMerge);
    for (let byte = 0; byte < 256; byte++) {
      bytes[0] = byte;
      byteSymbols[byte] = symbols.of(bytes, 0, 1);
    }
    merges.forEach((merge, rank) => {
      const [left, right] = typeof merge === "string" ? halvesOf(merge) : merge;
      if (left.length + right.length > longestMerge) return;
      const middle = spellBytes(left, bytes, { at: 0, from: 0, to: left.length }) ?? 0;
      const rest = spellBytes(right, bytes, { at: middle, from: 0, to: right.length }) ?? 0;
      if (middle === 0 || rest === 0) return;
      table.#add(symbols.of(bytes, 0, middle), symbols.of(bytes, middle, middle + rest), {
        ...{ rank, merged: symbols.of(bytes, 0, middle + rest) },
      });
    });
    return table;
  }

  /** The symbol of a single byte. */
  symbolOfByte(byte: number): number {
    return this.data.byteSymbols[byte];
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
    return this.data.extraTokens[symbol - this.#size];
  }

  #add(
    left: number,
    right: number,
    merge: { readonly rank: number; readonly merged: number },
  ): void {
    if (this.find(left, right) >= 0) return;
    const slots = this.#slots;
    let slot = hashOfPair(left, right) & this.#mask;
    while (slots[slot * slotWords] !== -1) slot = slot + 1 & this.#mask;
    slots.set([left, right, merge.rank, merge.merged], slot * slotWords);
  }
}

/** Symbols by their bytes: tokens, and new ones for what is none. */
class Symbols {
  readonly extraTokens: (readonly number[])[] = [];
  readonly #tokens: TokenTable;
  /** Symbols that are no tokens, by their bytes as Latin-1. */
  readonly #extras = new Map<string, number>();

  constructor(tokens: TokenTable) {
    this.#tokens = tokens;
  }

  of(bytes: Uint8Array, from: number, to: number): number {
    const token = this.#tokens.find(bytes, from, to);
    if (token >= 0) return token;
    const text = String.fromCharCode(...bytes.subarray(from, to));
    const known = this.#extras.get(text);
    if (known !== undefined) return known;
    const symbol = this.#tokens.size + this.extraTokens.length;
    this.#extras.set(text, symbol);
    this.extraTokens.push(this.#bytewise(bytes, from, to));
    return symbol;
  }

  /** llama.cpp looks up each byte of the spelling: a letter outside ASCII is two bytes, and those are no tokens. */
  #bytewise(bytes: Uint8Array, from: number, to: number): readonly number[] {
    const ids: number[] = [];
    for (let i = from; i < to; i++) {
      const isAscii = bytes[i] >= 0x21 && bytes[i] <= 0x7e;
      const id = isAscii ? this.#tokens.find(bytes, i, i + 1) : -1;
      if (id >= 0) ids.push(id);
    }
    return ids;
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
