import assert from "node:assert/strict";
import fc from "fast-check";
import { anyText } from "../testing/any_text.ts";
import { charClass, classOf } from "./char_class.ts";
import { preTokenizerOf } from "./pre_tokenizer.ts";
import type { PreTokenizer } from "./pre_tokenizer.ts";
import { scannerSlackBytes, WordScanner } from "./word_scanner.ts";

const names = ["smollm", "gpt-2", "qwen2", "llama-bpe"];

function words(name: string, text: string): string[] {
  const utf8 = new TextEncoder().encode(text);
  const bytes = new Uint8Array(utf8.length + scannerSlackBytes);
  bytes.set(utf8);
  const scanner = new WordScanner(preTokenizerOf(name)!);
  scanner.start(bytes, utf8.length);
  const found: string[] = [];
  for (let at = 0; at < utf8.length;) {
    const to = scanner.next(at);
    found.push(new TextDecoder("utf-8", { ignoreBOM: true }).decode(utf8.subarray(at, to)));
    at = to;
  }
  return found;
}

/** What the pre-tokenizer's pattern says, with the white space of Unicode and not of JavaScript. */
function wordsByPattern(pre: PreTokenizer, text: string): string[] {
  const pattern = pre.patterns.at(-1)!.replaceAll("\\s", "\\p{White_Space}")
    .replaceAll("\\S", "\\P{White_Space}");
  const parts = pre.cutsDigitsFirst ? text.split(/(\p{N})/u) : [text];
  return parts.flatMap((part) => part.match(new RegExp(pattern, "gu")) ?? []);
}

Deno.test("WordScanner cuts as each pre-tokenizer does", () => {
  const text = "Don't  SAY'LL 1234 x\r\n\n  (a) 日本語!\n";
  assert.deepEqual(words("gpt-2", text), [
    ...["Don", "'t", " ", " SAY", "'", "LL", " 1234", " x", "\r\n\n ", " (", "a", ")", " 日本語"],
    ...["!", "\n"],
  ]);
  assert.deepEqual(words("smollm", text), [
    ...["Don", "'t", " ", " SAY", "'", "LL", " ", "1", "2", "3", "4", " x", "\r\n\n ", " (", "a"],
    ...[")", " 日本語", "!", "\n"],
  ]);
  assert.deepEqual(words("qwen2", text), [
    ...["Don", "'t", " ", " SAY", "'LL", " ", "1", "2", "3", "4", " x", "\r\n\n", " ", " (", "a"],
    ...[")", " 日本語", "!\n"],
  ]);
  assert.deepEqual(words("llama-bpe", text), [
    ...["Don", "'t", " ", " SAY", "'LL", " ", "123", "4", " x", "\r\n\n", " ", " (", "a"],
    ...[")", " 日本語", "!\n"],
  ]);
});

Deno.test("WordScanner keeps white space before a digit whole where digits are cut first", () => {
  assert.deepEqual(words("smollm", "a   5 6"), ["a", "   ", "5", " ", "6"]);
  assert.deepEqual(words("gpt-2", "a   5 6"), ["a", "  ", " 5", " 6"]);
});

Deno.test("WordScanner equals its pre-tokenizer's pattern on any text", () => {
  // The engine's regular expressions know letters that the tables do not.
  const isKnown = (char: string) =>
    classOf(char.codePointAt(0)!) !== charClass.other || !/[\p{L}\p{N}]/u.test(char);
  const text = anyText().map((one) => [...one].filter(isKnown).join(""));
  for (const name of names) {
    const pre = preTokenizerOf(name)!;
    fc.assert(
      fc.property(text, (one) => {
        assert.deepEqual(words(name, one), wordsByPattern(pre, one));
      }),
      { numRuns: 500 },
    );
  }
});

Deno.test("WordScanner cuts nothing off and nothing twice", () => {
  for (const name of names) {
    fc.assert(fc.property(anyText(), (one) => words(name, one).join("") === one));
  }
});
