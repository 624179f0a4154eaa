import { spellBytes } from "./byte_letters.ts";

/** A token that is no part of the merges: matched as a whole in the text. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Control token: never shown, and text unless specials are asked for. */
  readonly special: boolean;
}

/** Most tokens of a vocabulary. The largest known has 262,144. */
export const mostTokens = 4 * 1024 * 1024;

/** Mixes bytes to a hash of 32 bits (FNV-1a with a final mix). */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let h = 0x811c9dc5;
  for (let i = from; i < to; i++) h = Math.imul(h ^ bytes[i], 0x01000193);
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca6b);
  return (h ^ h >>> 13) >>> 0;
}

/** A power of two at least twice `count`: slots of a table with open addressing. */
export function slotsFor(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(8, 2 * count)));
}

/** Every token's bytes, and the tokens of merges by their bytes. About 15 bytes a token beside the bytes themselves. */
export class TokenTable {
  /** Token ids in all; every id is below it. Ids without a token have no bytes. */
  readonly size: number;
  readonly #bytes: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #isControl: Uint8Array;
  /** id + 1, 0 where a slot is free. */
  readonly #slots: Int32Array;

  /**
   * Ids must be whole numbers from 0 to `mostTokens`. Added tokens are written out as they are, the vocabulary's in
   * byte letters; of an id in both the added one counts.
   */
  constructor(vocab: Readonly<Record<string, number>>, added: readonly AddedToken[]) {
    const texts = new Map<number, string>();
    let size = 0;
    let units = 0;
    for (const text in vocab) {
      size = Math.max(size, vocab[text] + 1);
      units += text.length;
    }
    for (const { id, content } of added) {
      texts.set(id, content);
      size = Math.max(size, id + 1);
      units += content.length;
    }
    this.size = size;
    const spelled: (string | undefined)[] = new Array(size).fill(undefined);
    for (const text in vocab) spelled[vocab[text]] = text;
    // A text that is not spelled in letters takes at most three bytes a code unit; there are few such.
    let bytes = new Uint8Array(units + 1024);
    this.#starts = new Uint32Array(size + 1);
    this.#slots = new Int32Array(slotsFor(size));
    this.#isControl = new Uint8Array(size);
    const encoder = new TextEncoder();
    let at = 0;
    for (let id = 0; id < size; id++) {
      this.#starts[id] = at;
      const text = texts.get(id) ?? spelled[id];
      if (text === undefined) continue;
      if (at + 3 * text.length > bytes.length) bytes = grown(bytes, at + 3 * text.length);
      const letters = texts.has(id)
        ? undefined
        : spellBytes(text, bytes, { at, from: 0, to: text.length });
      at += letters ?? encoder.encodeInto(text, bytes.subarray(at)).written;
    }
    this.#starts[size] = at;
    this.#bytes = bytes.slice(0, at);
    for (const { id, special } of added) if (special) this.#isControl[id] = 1;
    for (let id = 0; id < size; id++) {
      // ASCII text spells the same bytes as it is.
      if (spelled[id] !== undefined && isFindable(spelled[id]!, texts.get(id))) this.#insert(id);
    }
  }

  /** Bytes of a token as it is written out: a view, not to be written to. Empty for an id without a token. */
  bytesOf(id: number): Uint8Array {
    if (!(id < this.size)) return this.#bytes.subarray(0, 0);
    return this.#bytes.subarray(this.#starts[id], this.#starts[id + 1]);
  }

  /** True for control tokens. */
  isControl(id: number): boolean {
    return this.#isControl[id] === 1;
  }

  /** The token of the vocabulary with these bytes, -1 where there is none. O(length). */
  find(bytes: Uint8Array, from: number, to: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hashOf(bytes, from, to) & mask;; slot = slot + 1 & mask) {
      const id = slots[slot] - 1;
      if (id < 0) return -1;
      if (this.#equals(id, bytes, from, to)) return id;
    }
  }

  #equals(id: number, bytes: Uint8Array, from: number, to: number): boolean {
    const own = this.#bytes;
    const start = this.#starts[id];
    if (this.#starts[id + 1] - start !== to - from) return false;
    for (let i = from; i < to; i++) if (own[start + i - from] !== bytes[i]) return false;
    return true;
  }

  #insert(id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    const from = this.#starts[id];
    const to = this.#starts[id + 1];
    if (from === to) return;
    let slot = hashOf(this.#bytes, from, to) & mask;
    while (slots[slot] !== 0) slot = slot + 1 & mask;
    slots[slot] = id + 1;
  }
}

function isFindable(spelled: string, added: string | undefined): boolean {
  return added === undefined || (added === spelled && /^[!-~]+$/.test(added));
}

function grown(bytes: Uint8Array<ArrayBuffer>, atLeast: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(Math.max(atLeast, 2 * bytes.length));
  larger.set(bytes);
  return larger;
}
