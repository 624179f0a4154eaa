import assert from "node:assert/strict";
import fc from "fast-check";
import { byteLetters } from "./byte_letters.ts";
import { LongWord } from "./long_word.ts";
import { MergeTable } from "./merge_table.ts";
import { TokenTable } from "./token_table.ts";
import { WordMerger } from "./word_merger.ts";

/** Random merges over a few letters, of tokens that came before them. */
const someMerges = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 40 }).map((picks) => {
  const tokens = ["a", "b", "c"];
  const merges: string[] = [];
  for (const [left, right] of picks) {
    const pair = [tokens[left % tokens.length], tokens[right % tokens.length]];
    merges.push(pair.join(" "));
    if (!tokens.includes(pair.join(""))) tokens.push(pair.join(""));
  }
  return { tokens, merges };
});

function tableOf({ tokens, merges }: { tokens: readonly string[]; merges: readonly string[] }) {
  const all = [...new Set([...byteLetters, ...tokens])];
  const vocab = { texts: all, ids: all.map((_, id) => id) };
  return { all, table: MergeTable.of(TokenTable.of(vocab, []), merges) };
}

/** Merging as it is defined: the first merge that applies, at its leftmost place, again and again. */
function naive(word: string, merges: readonly string[]): string[] {
  const parts = [...word];
  const pairs = [...new Set(merges)].map((merge) => merge.split(" "));
  while (true) {
    let at = -1;
    for (const [left, right] of pairs) {
      at = parts.findIndex((part, i) => part === left && parts[i + 1] === right);
      if (at >= 0) break;
    }
    if (at < 0) return parts;
    parts.splice(at, 2, parts[at] + parts[at + 1]);
  }
}

const bytesOf = (table: MergeTable, word: string) =>
  Uint32Array.from(new TextEncoder().encode(word), (byte) => table.symbolOfByte(byte));

Deno.test("WordMerger and LongWord merge as it is defined, whatever the merges", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 60 });
  fc.assert(
    fc.property(someMerges, word, (vocabulary, text) => {
      const { all, table } = tableOf(vocabulary);
      const expected = naive(text, vocabulary.merges);
      const short = bytesOf(table, text);
      const long = bytesOf(table, text);
      const shortCount = new WordMerger(table).merge(short);
      const longCount = new LongWord(table, long).merge();
      assert.deepEqual([...short.subarray(0, shortCount)].map((id) => all[id]), expected);
      assert.deepEqual([...long.subarray(0, longCount)].map((id) => all[id]), expected);
    }),
    { numRuns: 1000 },
  );
});

/** Runs of one letter merge in doubles, as those of real vocabularies do. */
const doubles = ["a", "aa", "aaaa", "aaaaaaaa", "aaaaaaaaaaaaaaaa"];

Deno.test("a word of a million letters takes work in proportion to its length", () => {
  const { table } = tableOf({
    tokens: [...doubles, "ab"],
    merges: [...doubles.slice(0, 4).map((half) => `${half} ${half}`), "a b"],
  });
  for (const unit of ["a", "ab", "aab", "aaaaaaab", "c"]) {
    const merger = new WordMerger(table);
    const works = [100_000, 200_000].map((letters) => {
      const before = merger.work;
      const symbols = bytesOf(table, unit.repeat(letters / unit.length));
      const count = merger.merge(symbols);
      assert.ok(count > 0 && count <= letters);
      return merger.work - before;
    });
    assert.ok(works[0] < 12 * 100_000, `${unit}: ${works[0]}`);
    assert.ok(works[1] < 2.1 * works[0], `${unit}: ${works}`);
  }
});

Deno.test("a long word of any letters takes little more work than a short one of each", () => {
  const { table } = tableOf({
    tokens: ["ab", "bc", "abc", "ca", "cab"],
    merges: ["a b", "b c", "ab c", "c a", "ca b"],
  });
  const letters = Array.from({ length: 120_000 }, (_, i) => "abc"[(i * i + (i >> 3)) % 3]).join("");
  const merger = new WordMerger(table);
  merger.merge(bytesOf(table, letters));
  assert.ok(merger.work < 12 * letters.length, `${merger.work}`);
});
