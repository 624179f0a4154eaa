import type { MergeTable } from "./merge_table.ts";
import type { PreTokenizer } from "./pre_tokenizer.ts";
import type { TokenTable } from "./token_table.ts";
import { longestCachedWord, WordCache } from "./word_cache.ts";
import { WordMerger } from "./word_merger.ts";
import { scannerSlackBytes, WordScanner } from "./word_scanner.ts";

/** Buffers over this are let go after use. */
const keptBufferBytes = 1024 * 1024;
/** Bytes read at once past the start of a word. */
const slackBytes = Math.max(longestCachedWord, scannerSlackBytes);

/** Masks of the first 0 to 4 bytes of a little-endian word. */
const masks = Uint32Array.of(0, 0xff, 0xffff, 0xffffff, 0xffffffff);

/** Text without special tokens to token ids by byte-level BPE. Not reentrant: it works in buffers of its own. */
export class TextTokenizer {
  readonly #tokens: TokenTable;
  readonly #merges: MergeTable;
  readonly #ignoreMerges: boolean;
  readonly #scanner: WordScanner;
  readonly #merger: WordMerger;
  readonly #cache = new WordCache();
  readonly #encoder = new TextEncoder();
  readonly #word = new Uint32Array(4);
  #bytes = new Uint8Array(64 * 1024);
  #view = new DataView(this.#bytes.buffer);
  #ids = new Uint32Array(64 * 1024);

  constructor(
    tokens: TokenTable,
    merges: MergeTable,
    options: { readonly pre: PreTokenizer; readonly ignoreMerges: boolean },
  ) {
    this.#tokens = tokens;
    this.#merges = merges;
    this.#ignoreMerges = options.ignoreMerges;
    this.#scanner = new WordScanner(options.pre);
    this.#merger = new WordMerger(merges);
  }

  /** Work of merging so far, in table look-ups and heap entries: for tests of what hostile input costs. */
  get work(): number {
    return this.#merger.work;
  }

  /** Ids of a text. Unpaired surrogates count as U+FFFD. O(length), O(n log n) for words over 48 bytes. */
  encode(text: string): Uint32Array {
    const length = this.#load(text);
    this.#scanner.start(this.#bytes, length);
    let count = 0;
    for (let at = 0; at < length;) {
      const to = this.#scanner.next(at);
      count = this.#word16(at, to, count);
      at = to;
    }
    const ids = this.#ids.slice(0, count);
    if (this.#bytes.length > keptBufferBytes) this.#resize(64 * 1024);
    return ids;
  }

  /** Brings the text's bytes into the buffer, zeros behind them; gives how many. */
  #load(text: string): number {
    const most = 3 * text.length;
    if (most + slackBytes > this.#bytes.length) this.#resize(most + slackBytes);
    const { written } = this.#encoder.encodeInto(text, this.#bytes);
    this.#bytes.fill(0, written, written + slackBytes);
    // No more tokens than bytes come of a word.
    if (written > this.#ids.length) this.#ids = new Uint32Array(this.#bytes.length);
    return written;
  }

  #resize(bytes: number): void {
    this.#bytes = new Uint8Array(bytes);
    this.#view = new DataView(this.#bytes.buffer);
    if (this.#ids.length > bytes) this.#ids = new Uint32Array(bytes);
  }

  /** Tokens of the word from `from` to `to`, written after the `count` ids so far; gives how many there are then. */
  #word16(from: number, to: number, count: number): number {
    const length = to - from;
    if (length > longestCachedWord) return this.#make(from, to, count);
    const word = this.#word;
    const view = this.#view;
    word[0] = view.getUint32(from, true) & masks[Math.min(length, 4)];
    word[1] = length > 4 ? view.getUint32(from + 4, true) & masks[Math.min(length - 4, 4)] : 0;
    word[2] = length > 8 ? view.getUint32(from + 8, true) & masks[Math.min(length - 8, 4)] : 0;
    word[3] = length > 12 ? view.getUint32(from + 12, true) & masks[length - 12] : 0;
    const entry = this.#cache.find(word, length);
    if (entry >= 0) return this.#cache.copy(entry, this.#ids, count);
    const end = this.#make(from, to, count);
    this.#cache.keep(word, length, { ids: this.#ids, from: count, to: end });
    return end;
  }

  #make(from: number, to: number, count: number): number {
    const ids = this.#ids;
    if (this.#ignoreMerges) {
      const whole = this.#tokens.find(this.#bytes, from, to);
      if (whole >= 0) {
        ids[count] = whole;
        return count + 1;
      }
    }
    const made = this.#merger.merge(this.#bytes, { from, to }, { symbols: ids, at: count });
    let isPlain = true;
    for (let i = count; i < count + made; i++) isPlain = isPlain && ids[i] < this.#tokens.size;
    return isPlain ? count + made : this.#writeExtras(count, made);
  }

  /** Puts tokens in the place of symbols that are none. */
  #writeExtras(from: number, made: number): number {
    const symbols = this.#ids.slice(from, from + made);
    let count = from;
    for (const symbol of symbols) {
      if (symbol < this.#tokens.size) this.#ids[count++] = symbol;
      else for (const id of this.#merges.tokensOfExtra(symbol)) this.#ids[count++] = id;
    }
    return count;
  }
}
