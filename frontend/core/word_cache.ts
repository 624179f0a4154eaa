/** Longest word kept, in bytes: four words of 32 bits. */
export const longestCachedWord = 16;
/** Most tokens of a word that is kept. */
const mostCachedTokens = 11;
/** Numbers per entry: four of the word, one of its length and token count, the tokens. One cache line. */
const entryWords = 16;
/** Entries that share a place; the place of a new one goes round. */
const ways = 4;
const entries = 64 * 1024;

/**
 * Tokens of short words. A fixed table, 4 MiB, in which new words drive out old ones: no input makes it grow or slow.
 * Words are compared in full.
 */
export class WordCache {
  readonly #table = new Uint32Array(entries * entryWords);
  #turn = 0;

  /** Entry of a word given as its bytes, little-endian and zero-filled, and its length; -1 where it is not kept. */
  find(word: Uint32Array, length: number): number {
    const table = this.#table;
    let at = placeOf(word, length);
    for (let way = 0; way < ways; way++, at += entryWords) {
      if (
        table[at] === word[0] && table[at + 1] === word[1] && table[at + 2] === word[2] &&
        table[at + 3] === word[3] && table[at + 4] >>> 8 === length
      ) return at;
    }
    return -1;
  }

  /** Writes the tokens of an entry to `into` from `at` on; gives where they end. */
  copy(entry: number, into: Uint32Array, at: number): number {
    const table = this.#table;
    const from = entry + 5;
    const count = table[entry + 4] & 0xff;
    for (let i = 0; i < count; i++) into[at + i] = table[from + i];
    return at + count;
  }

  /** Keeps a word's tokens, `into` from `from` to `to`, unless they are too many. */
  keep(
    word: Uint32Array,
    length: number,
    tokens: { readonly ids: Uint32Array; readonly from: number; readonly to: number },
  ): void {
    const count = tokens.to - tokens.from;
    if (count > mostCachedTokens) return;
    const table = this.#table;
    const place = placeOf(word, length);
    let at = place;
    let way = 0;
    while (way < ways && table[at + 4] !== 0) {
      way += 1;
      at += entryWords;
    }
    if (way === ways) {
      this.#turn = this.#turn + 1 & ways - 1;
      at = place + this.#turn * entryWords;
    }
    for (let i = 0; i < 4; i++) table[at + i] = word[i];
    table[at + 4] = length << 8 | count;
    for (let i = 0; i < count; i++) table[at + 5 + i] = tokens.ids[tokens.from + i];
  }
}

function placeOf(word: Uint32Array, length: number): number {
  let h = Math.imul(word[0] ^ length, 0x9e3779b1);
  h = Math.imul(h ^ h >>> 15 ^ word[1], 0x85ebca6b);
  h = Math.imul(h ^ h >>> 13 ^ word[2], 0xc2b2ae35);
  h = Math.imul(h ^ h >>> 16 ^ word[3], 0x27d4eb2f);
  h ^= h >>> 15;
  return (h & entries / ways - 1) * ways * entryWords;
}
