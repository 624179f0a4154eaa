/** What a code point is to the pre-tokenizers. */
export const charClass = {
  other: 0,
  letter: 1,
  number: 2,
  /** White space but for CR and LF. */
  space: 3,
  /** CR and LF. */
  newline: 4,
  /** No class of a code point: where the text is over. */
  end: 5,
} as const;

const pageSize = 256;

/**
 * First and last code points of the letters and digits that came with Unicode 16: llama.cpp's tables are those of 15.1,
 * and there they are neither. `tests/llama_tokens_test.ts` fails when the JavaScript engine learns of more.
 */
const newerThanTables: readonly (readonly [first: number, last: number])[] = [
  [0x1c89, 0x1c8a],
  [0xa7cb, 0xa7cd],
  [0xa7da, 0xa7dc],
  [0x105c0, 0x105f3],
  [0x10d40, 0x10d85],
  [0x10ec2, 0x10ec4],
  [0x11380, 0x113d3],
  [0x116d0, 0x116e3],
  [0x11bc0, 0x11bf9],
  [0x13460, 0x143fa],
  [0x16100, 0x16139],
  [0x16d40, 0x16d79],
  [0x18cff, 0x18cff],
  [0x1ccf0, 0x1ccf9],
  [0x1e5d0, 0x1e5fa],
];

function isNewer(codePoint: number): boolean {
  return newerThanTables.some(([first, last]) => first <= codePoint && codePoint <= last);
}

function computeClass(codePoint: number): number {
  if (codePoint === 0x0a || codePoint === 0x0d) return charClass.newline;
  const text = String.fromCodePoint(codePoint);
  if (/\p{White_Space}/u.test(text)) return charClass.space;
  const isLetter = /\p{L}/u.test(text);
  if (!isLetter && !/\p{N}/u.test(text)) return charClass.other;
  if (isNewer(codePoint)) return charClass.other;
  return isLetter ? charClass.letter : charClass.number;
}

/** Classes by code point, a page of 256 at a time: what a text never uses is never worked out. */
const pages: (Uint8Array | undefined)[] = new Array(0x110000 / pageSize).fill(undefined);

function makePage(index: number): Uint8Array {
  const page = Uint8Array.from({ length: pageSize }, (_, i) => computeClass(index * pageSize + i));
  pages[index] = page;
  return page;
}

/** Class of a code point from 0 to 0x10ffff, as llama.cpp's tables (Unicode 15.1) have it. */
export function classOf(codePoint: number): number {
  const page = pages[codePoint >>> 8] ?? makePage(codePoint >>> 8);
  return page[codePoint & 0xff];
}

/** In `byteClasses`: a byte of a longer UTF-8 sequence. */
export const notAscii = 6;

/** Class of each byte of UTF-8 text: of an ASCII character, or `notAscii`. */
export const byteClasses: Uint8Array = Uint8Array.from(
  { length: 256 },
  (_, byte) => byte < 0x80 ? classOf(byte) : notAscii,
);
