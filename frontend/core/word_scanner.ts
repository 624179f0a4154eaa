import { byteClasses, charClass, classOf, notAscii } from "./char_class.ts";
import type { PreTokenizer } from "./pre_tokenizer.ts";

const { other, letter, number, space, newline, end } = charClass;

/** Bytes that must lie behind a text in its buffer, all zero: the scanner looks past the end instead of asking for it. */
export const scannerSlackBytes = 4;

/**
 * Cuts UTF-8 text into the words that are merged each for itself, as llama.cpp's pre-tokenizers do. O(1) memory; a text
 * costs O(length) in all.
 */
export class WordScanner {
  readonly #isLlama3: boolean;
  readonly #mostDigits: number;
  readonly #cutsDigitsFirst: boolean;
  #bytes: Uint8Array = new Uint8Array(scannerSlackBytes);
  #end = 0;
  /** Bytes of the character that `#classAt` saw last. */
  #width = 1;

  constructor(pre: PreTokenizer) {
    this.#isLlama3 = pre.style === "llama3";
    this.#mostDigits = pre.mostDigits;
    this.#cutsDigitsFirst = pre.cutsDigitsFirst;
  }

  /** Starts on a text: well-formed UTF-8 in `bytes` from 0 to `length`, zeros behind it. */
  start(bytes: Uint8Array, length: number): void {
    this.#bytes = bytes;
    this.#end = length;
  }

  /** Where the word that starts at `at` ends; `at` is before the text's end, and the end of the word before it. */
  next(at: number): number {
    const bytes = this.#bytes;
    let byte = bytes[at];
    let to = at;
    if (byte === 0x20) byte = bytes[++to];
    if (byteClasses[byte] === letter) {
      do byte = bytes[++to]; while (byteClasses[byte] === letter);
      return byte < 0x80 ? to : this.#past(to, letter);
    }
    return this.#isLlama3 ? this.#llama3(at) : this.#gpt2(at);
  }

  #gpt2(at: number): number {
    const short = this.#bytes[at] === 0x27 ? this.#contraction(at, 0) : 0;
    if (short > 0) return at + short;
    let kind = this.#classAt(at);
    let to = at + this.#width;
    if (kind === number && this.#cutsDigitsFirst) return to;
    if (this.#bytes[at] === 0x20) {
      kind = this.#classAt(to);
      if (kind === number && this.#cutsDigitsFirst) return to;
      if (kind === letter || kind === number || kind === other) to += this.#width;
    }
    if (kind === letter || kind === number || kind === other) return this.#past(to, kind);
    return this.#whiteSpace(at);
  }

  #llama3(at: number): number {
    const first = this.#bytes[at];
    // An ASCII letter and its lower case differ in bit 5 only; nothing else is folded into one of these.
    const short = first === 0x27 ? this.#contraction(at, 0x20) : 0;
    if (short > 0) return at + short;
    const kind = this.#classAt(at);
    let to = at + this.#width;
    if (kind === number) return this.#digits(to);
    const following = this.#classAt(to);
    if (kind !== newline && (kind === letter || following === letter)) {
      return this.#past(kind === letter ? to : to + this.#width, letter);
    }
    if (kind === other || (first === 0x20 && following === other)) {
      to = this.#past(to, other);
      while (byteClasses[this.#bytes[to]] === newline) to += 1;
      return to;
    }
    return this.#whiteSpace(at);
  }

  /** Length of the contraction at the apostrophe at `at`, 0 where there is none. `fold` has the bits that do not count. */
  #contraction(at: number, fold: number): number {
    const first = this.#bytes[at + 1] | fold;
    if (first === 0x73 || first === 0x74 || first === 0x6d || first === 0x64) return 2;
    const second = this.#bytes[at + 2] | fold;
    if (second === 0x65 && (first === 0x72 || first === 0x76)) return 3;
    return first === 0x6c && second === 0x6c ? 3 : 0;
  }

  #digits(from: number): number {
    let to = from;
    for (let count = 1; count < this.#mostDigits && this.#classAt(to) === number; count++) {
      to += this.#width;
    }
    return to;
  }

  /** White space: up to its last line break (llama3), else all but the last one before a word, else all. */
  #whiteSpace(at: number): number {
    let to = at;
    let last = at;
    let count = 0;
    let lineEnd = 0;
    let kind = this.#classAt(to);
    while (kind === space || kind === newline) {
      last = to;
      to += this.#width;
      count += 1;
      if (kind === newline) lineEnd = to;
      kind = this.#classAt(to);
    }
    if (this.#isLlama3 && lineEnd > 0) return lineEnd;
    const isOver = kind === end || (kind === number && this.#cutsDigitsFirst);
    return count > 1 && !isOver ? last : to;
  }

  /** Where the run of `kind` that `from` is in, or is the end of, ends. */
  #past(from: number, kind: number): number {
    const bytes = this.#bytes;
    const stop = this.#end;
    let to = from;
    while (to < stop) {
      const seen = byteClasses[bytes[to]];
      if (seen === kind) to += 1;
      else if (seen !== notAscii || this.#classAt(to) !== kind) break;
      else to += this.#width;
    }
    return to;
  }

  /** Class of the character at `at`, `end` at or past the end of the text. */
  #classAt(at: number): number {
    this.#width = 1;
    if (at >= this.#end) return end;
    const bytes = this.#bytes;
    const byte = bytes[at];
    if (byte < 0x80) return byteClasses[byte];
    if (byte < 0xe0) {
      this.#width = 2;
      return classOf((byte & 0x1f) << 6 | bytes[at + 1] & 0x3f);
    }
    if (byte < 0xf0) {
      this.#width = 3;
      return classOf((byte & 0x0f) << 12 | (bytes[at + 1] & 0x3f) << 6 | bytes[at + 2] & 0x3f);
    }
    this.#width = 4;
    return classOf(
      (byte & 0x07) << 18 | (bytes[at + 1] & 0x3f) << 12 | (bytes[at + 2] & 0x3f) << 6 |
        bytes[at + 3] & 0x3f,
    );
  }
}
