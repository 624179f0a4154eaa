/** Longest word kept, in bytes: four words of 32 bits. */
export const longestCachedWord = 16;
/** Most tokens of a word that is kept. */
const mostCachedTokens = 11;
/** Numbers per entry: four of the word, one of its length and token count, the tokens. One cache line. */
const entryWords = 16;
/** Entries that share a place; the place of a new one goes round. */
const ways = 4;
const entries = 64 * 1024;

/** Masks of the four numbers of a word, by its length. */
const masks: Int32Array = makeMasks();

function makeMasks(): Int32Array {
  const all = new Int32Array((longestCachedWord + 1) * 4);
  for (let length = 0; length <= longestCachedWord; length++) {
    for (let i = 0; i < 4; i++) {
      const bytes = Math.min(4, Math.max(0, length - 4 * i));
      all[4 * length + i] = bytes === 4 ? -1 : (1 << 8 * bytes) - 1;
    }
  }
  return all;
}

/**
 * Tokens of short words. A fixed table, 4 MiB, in which new words drive out old ones: no input makes it grow or slow.
 * Words are compared in full.
 */
export class WordCache {
  readonly #table = new Int32Array(entries * entryWords);
  #view = new DataView(new ArrayBuffer(longestCachedWord));
  #ids: Uint32Array = new Uint32Array(mostCachedTokens);
  #turn = 0;

  /**
   * Words are read from `bytes`, which must go on for `longestCachedWord` bytes behind any of them, and tokens are
   * written to `ids`.
   */
  attach(bytes: Uint8Array<ArrayBuffer>, ids: Uint32Array): void {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#ids = ids;
  }

  /** Writes the tokens of the word at `at`, `length` bytes, behind `count` ids; gives how many there are then, or -1. */
  copy(at: number, length: number, count: number): number {
    const view = this.#view;
    const table = this.#table;
    const mask = 4 * length;
    const a = view.getInt32(at, true) & masks[mask];
    const b = view.getInt32(at + 4, true) & masks[mask + 1];
    const c = view.getInt32(at + 8, true) & masks[mask + 2];
    const d = view.getInt32(at + 12, true) & masks[mask + 3];
    let entry = placeOf(a, b, c, d ^ length);
    for (let way = 0; way < ways; way++, entry += entryWords) {
      if (
        table[entry] !== a || table[entry + 1] !== b || table[entry + 2] !== c ||
        table[entry + 3] !== d || table[entry + 4] >>> 8 !== length
      ) continue;
      const ids = this.#ids;
      const tokens = table[entry + 4] & 0xff;
      ids[count] = table[entry + 5];
      for (let i = 1; i < tokens; i++) ids[count + i] = table[entry + 5 + i];
      return count + tokens;
    }
    return -1;
  }

  /** Keeps the ids from `from` to `to` as the tokens of the word at `at`, unless they are too many. */
  keep(at: number, length: number, made: { readonly from: number; readonly to: number }): void {
    const count = made.to - made.from;
    if (count > mostCachedTokens) return;
    const view = this.#view;
    const table = this.#table;
    const word = [0, 1, 2, 3].map((i) => view.getInt32(at + 4 * i, true) & masks[4 * length + i]);
    const place = placeOf(word[0], word[1], word[2], word[3] ^ length);
    let way = 0;
    while (way < ways && table[place + way * entryWords + 4] !== 0) way += 1;
    if (way === ways) way = this.#turn = this.#turn + 1 & ways - 1;
    const entry = place + way * entryWords;
    for (let i = 0; i < 4; i++) table[entry + i] = word[i];
    table[entry + 4] = length << 8 | count;
    for (let i = 0; i < count; i++) table[entry + 5 + i] = this.#ids[made.from + i];
  }
}

function placeOf(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^
    Math.imul(d, 0x27d4eb2f);
  h = Math.imul(h ^ h >>> 15, 0x2c1b3c6d);
  return ((h ^ h >>> 13) & entries / ways - 1) * ways * entryWords;
}
