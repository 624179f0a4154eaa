/** A word as the letters it still consists of. */
type Word = { readonly count: number; letters: string[] };

/** GPT-2's letters of the 256 bytes: printable bytes stand for themselves, the rest are moved to U+0100 and up. */
export const byteLetters: readonly string[] = makeByteLetters();

function makeByteLetters(): string[] {
  let moved = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) ||
      byte >= 0xae;
    return String.fromCharCode(printable ? byte : moved++);
  });
}

/** The words of a text as the `smollm` pre-tokenizer cuts it: every digit alone. */
function wordsOf(text: string): Word[] {
  const counts = new Map<string, number>();
  const pattern = /\p{N}|'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
  for (const [word] of text.matchAll(pattern)) counts.set(word, (counts.get(word) ?? 0) + 1);
  const encoder = new TextEncoder();
  return [...counts].map(([word, count]) => ({
    count,
    letters: Array.from(encoder.encode(word), (byte) => byteLetters[byte]),
  }));
}

/** The commonest pair of neighbours, the first in code unit order on ties. */
function commonestPair(words: readonly Word[]): string | undefined {
  const counts = new Map<string, number>();
  for (const { letters, count } of words) {
    for (let i = 1; i < letters.length; i++) {
      const pair = `${letters[i - 1]} ${letters[i]}`;
      counts.set(pair, (counts.get(pair) ?? 0) + count);
    }
  }
  let best: string | undefined;
  let most = 0;
  for (const [pair, count] of counts) {
    if (count > most || (count === most && pair < best!)) {
      best = pair;
      most = count;
    }
  }
  return best;
}

function merge(word: Word, left: string, right: string): void {
  const merged: string[] = [];
  for (let i = 0; i < word.letters.length; i++) {
    const joins = word.letters[i] === left && word.letters[i + 1] === right;
    merged.push(joins ? left + right : word.letters[i]);
    if (joins) i += 1;
  }
  word.letters = merged;
}

/** Byte-pair merges of a text, in rank order: at most `count` pairs, fewer where the text runs out of pairs. */
export function learnMerges(text: string, count: number): [left: string, right: string][] {
  const words = wordsOf(text);
  const merges: [string, string][] = [];
  while (merges.length < count) {
    const pair = commonestPair(words);
    if (pair === undefined) break;
    const [left, right] = pair.split(" ");
    for (const word of words) merge(word, left, right);
    merges.push([left, right]);
  }
  return merges;
}
