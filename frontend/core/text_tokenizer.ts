import type { MergeTable } from "./merge_table.ts";
import type { PreTokenizer } from "./pre_tokenizer.ts";
import type { TokenTable } from "./token_table.ts";
import { longestCachedWord, WordCache } from "./word_cache.ts";
import { WordMerger } from "./word_merger.ts";
import type { TokenSink } from "./token_sink.ts";
import { scannerSlackBytes, WordScanner } from "./word_scanner.ts";

/** Buffers are at least this, and over it let go after use. */
const keptBufferBytes = 256 * 1024;
/** Bytes read past the end of a text. */
const slackBytes = Math.max(longestCachedWord, scannerSlackBytes);

/** Text without special tokens to token ids by byte-level BPE. Not reentrant: it works in buffers of its own. */
export class TextTokenizer {
  readonly #tokens: TokenTable;
  readonly #merges: MergeTable;
  readonly #ignoreMerges: boolean;
  readonly #scanner: WordScanner;
  readonly #merger: WordMerger;
  readonly #cache = new WordCache();
  readonly #encoder = new TextEncoder();
  #bytes = new Uint8Array(keptBufferBytes);
  #ids = new Uint32Array(keptBufferBytes);

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
    this.#cache.attach(this.#bytes, this.#ids);
  }

  /** Bytes of the longest token. */
  get longestToken(): number {
    return this.#tokens.longest;
  }

  /** Work of merging so far, in table look-ups and queue entries: what costs more than reading the text. */
  get work(): number {
    return this.#merger.work;
  }

  /**
   * Adds the ids of a text to `sink`; gives a fingerprint of the text, 32 bits. Unpaired surrogates count as U+FFFD.
   * O(length), O(n log n) for words over 128 bytes.
   */
  encode(text: string, sink: TokenSink): number {
    const length = this.#load(text);
    const scanner = this.#scanner;
    const cache = this.#cache;
    scanner.start(this.#bytes, length);
    let count = 0;
    for (let at = 0; at < length;) {
      const to = scanner.next(at);
      const size = to - at;
      const end = size <= longestCachedWord ? cache.copy(at, size, count) : -1;
      count = end >= 0 ? end : this.#make(at, to, count);
      at = to;
    }
    sink.append(this.#ids.subarray(0, count));
    const fingerprint = this.#fingerprint(length);
    if (this.#bytes.length > keptBufferBytes) this.#resize(keptBufferBytes);
    return fingerprint;
  }

  /** Of the text in the buffer, whose last four bytes may reach into the zeros behind it. */
  #fingerprint(length: number): number {
    const words = new Int32Array(this.#bytes.buffer, 0, (length + 3) >>> 2);
    let h = length;
    for (let i = 0; i < words.length; i++) h = Math.imul(h ^ words[i], 0x9e3779b1) ^ h >>> 15;
    return (h ^ h >>> 13) >>> 0;
  }

  /** Brings the text's bytes into the buffer, zeros behind them; gives how many. */
  #load(text: string): number {
    if (3 * text.length + slackBytes <= this.#bytes.length) {
      const { written } = this.#encoder.encodeInto(text, this.#bytes);
      this.#bytes.fill(0, written, written + slackBytes);
      return written;
    }
    const bytes = this.#encoder.encode(text);
    if (bytes.length + slackBytes > this.#bytes.length) this.#resize(bytes.length + slackBytes);
    this.#bytes.set(bytes);
    this.#bytes.fill(0, bytes.length, bytes.length + slackBytes);
    return bytes.length;
  }

  #resize(bytes: number): void {
    this.#bytes = new Uint8Array(bytes + 3 & ~3);
    // No word makes more tokens than it has bytes.
    this.#ids = new Uint32Array(this.#bytes.length);
    this.#cache.attach(this.#bytes, this.#ids);
  }

  /** Works out the tokens of the word from `from` to `to`, behind `count` ids; gives how many there are then. */
  #make(from: number, to: number, count: number): number {
    const whole = this.#ignoreMerges ? this.#tokens.find(this.#bytes, from, to) : -1;
    let end = count + 1;
    if (whole >= 0) this.#ids[count] = whole;
    else end = this.#merge(from, to, count);
    if (to - from <= longestCachedWord) this.#cache.keep(from, to - from, { from: count, to: end });
    return end;
  }

  #merge(from: number, to: number, count: number): number {
    const symbols = this.#ids.subarray(count, count + to - from);
    for (let i = from; i < to; i++) symbols[i - from] = this.#merges.symbolOfByte(this.#bytes[i]);
    const made = this.#merger.merge(symbols);
    for (let i = 0; i < made; i++) {
      if (symbols[i] >= this.#tokens.size) return count + this.#writeExtras(symbols, made);
    }
    return count + made;
  }

  /** Puts tokens in the place of symbols that are none; gives how many ids there are then. */
  #writeExtras(symbols: Uint32Array, made: number): number {
    let count = 0;
    for (const symbol of symbols.slice(0, made)) {
      if (symbol < this.#tokens.size) symbols[count++] = symbol;
      else for (const id of this.#merges.tokensOfExtra(symbol)) symbols[count++] = id;
    }
    return count;
  }
}
