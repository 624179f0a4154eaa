import { byteHash, slotsFor } from "./byte_hash.ts";
import { spellBytes } from "./byte_letters.ts";

/** A token that is no part of the merges: matched as a whole in the text. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Control token: never shown, and text unless specials are asked for. */
  readonly special: boolean;
}

/** The tokens that merges make: each text in byte letters, and its id. */
export interface VocabTexts {
  readonly texts: readonly string[];
  readonly ids: readonly number[];
}

/** Most tokens of a vocabulary. The largest known has 262,144. */
export const mostTokens = 4 * 1024 * 1024;

/** What a token table consists of, in memory that threads can share. */
export interface TokenTableData {
  /** All tokens' bytes, in the order of ids. */
  readonly bytes: Uint8Array;
  /** Where the bytes of each id start, and where the last end. */
  readonly starts: Uint32Array;
  /** 1 for control tokens, by id. */
  readonly isControl: Uint8Array;
  /** Hash table of the vocabulary: id + 1, 0 where a slot is free. */
  readonly slots: Int32Array;
}

/** Every token's bytes, and the tokens of the vocabulary by their bytes. About 15 bytes a token beside its own. */
export class TokenTable {
  readonly data: TokenTableData;
  /** Token ids in all; every id is below it. Ids without a token have no bytes. */
  readonly size: number;
  /** Bytes of the longest token, at least 1. */
  readonly longest: number;

  constructor(data: TokenTableData) {
    const { starts } = data;
    this.data = data;
    this.size = starts.length - 1;
    let longest = 1;
    for (let id = 0; id < this.size; id++) longest = Math.max(longest, starts[id + 1] - starts[id]);
    this.longest = longest;
  }

  /**
   * Makes the table. Ids must be whole numbers from 0 to `mostTokens`. Added tokens are written out as they are, the
   * vocabulary's in byte letters; of an id in both the added one counts.
   */
  static of(vocab: VocabTexts, added: readonly AddedToken[]): TokenTable {
    const plain = new Map(added.map(({ id, content }) => [id, content]));
    const spelled = spellings(vocab, added);
    const size = spelled.length;
    const starts = new Uint32Array(new SharedArrayBuffer(4 * (size + 1)));
    const encoder = new TextEncoder();
    let bytes = new Uint8Array(8 * size + 1024);
    let at = 0;
    for (let id = 0; id < size; id++) {
      starts[id] = at;
      const text = plain.get(id) ?? spelled[id];
      if (text === undefined) continue;
      if (at + 3 * text.length > bytes.length) bytes = larger(bytes, at + 3 * text.length);
      const letters = plain.has(id)
        ? undefined
        : spellBytes(text, bytes, { at, from: 0, to: text.length });
      at += letters ?? encoder.encodeInto(text, bytes.subarray(at)).written;
    }
    starts[size] = at;
    const shared = new Uint8Array(new SharedArrayBuffer(at));
    shared.set(bytes.subarray(0, at));
    const isControl = new Uint8Array(new SharedArrayBuffer(size));
    for (const { id, special } of added) isControl[id] = special ? 1 : 0;
    const slots = new Int32Array(new SharedArrayBuffer(4 * slotsFor(size)));
    const table = new TokenTable({ bytes: shared, starts, isControl, slots });
    for (let id = 0; id < size; id++) {
      if (isFindable(spelled[id], plain.get(id))) table.#insert(id);
    }
    return table;
  }

  /** Bytes of a token as it is written out: a view, not to be written to. Empty for an id without a token. */
  bytesOf(id: number): Uint8Array {
    const { bytes, starts } = this.data;
    return id < this.size ? bytes.subarray(starts[id], starts[id + 1]) : bytes.subarray(0, 0);
  }

  /** True for control tokens. */
  isControl(id: number): boolean {
    return this.data.isControl[id] === 1;
  }

  /** The token of the vocabulary with these bytes, -1 where there is none. O(length). */
  find(bytes: Uint8Array, from: number, to: number): number {
    const { slots } = this.data;
    const mask = slots.length - 1;
    for (let slot = byteHash(bytes, from, to) & mask;; slot = slot + 1 & mask) {
      const id = slots[slot] - 1;
      if (id < 0) return -1;
      if (this.#equals(id, bytes, from, to)) return id;
    }
  }

  #equals(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    const { bytes: own, starts } = this.data;
    const start = starts[id];
    if (starts[id + 1] - start !== to - from) return false;
    for (let i = from; i < to; i++) if (own[start + i - from] !== bytes[i]) return false;
    return true;
  }

  #insert(id: number): void {
    const { bytes, slots, starts } = this.data;
    const mask = slots.length - 1;
    const from = starts[id];
    const to = starts[id + 1];
    if (from === to) return;
    let slot = byteHash(bytes, from, to) & mask;
    while (slots[slot] !== 0) slot = slot + 1 & mask;
    slots[slot] = id + 1;
  }
}

/** The vocabulary's texts by id, as long as the added tokens' ids need. */
function spellings(
  vocab: VocabTexts,
  added: readonly AddedToken[],
): readonly (string | undefined)[] {
  let size = 0;
  for (const id of vocab.ids) size = Math.max(size, id + 1);
  for (const { id } of added) size = Math.max(size, id + 1);
  const texts: (string | undefined)[] = new Array(size).fill(undefined);
  vocab.texts.forEach((text, i) => texts[vocab.ids[i]] = text);
  return texts;
}

/** True where the vocabulary has the token, and its spelling means the bytes it is written out as. */
function isFindable(spelled: string | undefined, plain: string | undefined): boolean {
  if (spelled === undefined) return false;
  return plain === undefined || (plain === spelled && /^[!-~]+$/.test(plain));
}

function larger(bytes: Uint8Array, atLeast: number): Uint8Array<ArrayBuffer> {
  const grown = new Uint8Array(Math.max(atLeast, 2 * bytes.length));
  grown.set(bytes);
  return grown;
}
