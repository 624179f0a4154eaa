import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { Vocabulary } from "@pixii/frontend/tokens";

/** Pieces that tokenizers treat in ways of their own, or that broke one once. */
const pieces: readonly string[] = [
  ...["hello", " world", " ", "  ", "   ", "\n", "\r\n", "\n\n", "\r", "\t", "\v", "\f", "\u00a0"],
  ...["\u3000", "\u2028", "\u200b", "\u1680", "1", "23", " 456", "1234567", "٣", "½", "Ⅷ", "１２"],
  ...["'s", "'LL", "'t", "'", "don't", "’s", "'Re", "'vE", "'x", "日本語", "你好，世界", "한국어"],
  ...["\u1100\u1161", "क्षि", "é", "e\u0301", "Å", "\u0301", "ﬁ", "Σ", "ß", "İ", "مرحبا", "שלום"],
  ...["\u202e", "👩‍👩‍👧‍👦", "🇩🇪", "👍🏽", "𝔘", "\u{1f600}", "\u{20000}", "\u{e0041}", "\u0000", "\u0007"],
  ...["\u001b", "\u007f", "<|im_start|>", "<|im_end|>", "<|im_", "end|>", "<|endoftext|>", "</s>"],
  ...["<|eot_id|>", "<|begin_of_text|>", "<|start_header_id|>", "<think>", "</think>", "<s>"],
  ...["<tool_call>", "<|fim_prefix|>", "<|", "|>", "<", ">", "|", "_", "--", "...", "/*", "://"],
  ...["();", "\\", '"', "`", "=====", "aaaaaaaaaaaaaaaaaaaa", "ZZ", "internationalization"],
  ...["\ud800", "\udfff", "\ue000", "\ufffd", "\ufffe", "0x1F", "3.14", "a_b", "fooBar", " \n "],
];

/** Texts of such pieces and of any characters. Halves of surrogate pairs are among them. */
export function hardText(maxPieces = 16): fc.Arbitrary<string> {
  const part = fc.oneof(
    { arbitrary: fc.constantFrom(...pieces), weight: 8 },
    { arbitrary: fc.string({ unit: "binary", maxLength: 4 }), weight: 2 },
    { arbitrary: fc.string({ unit: "grapheme", maxLength: 6 }), weight: 1 },
    { arbitrary: fc.string({ maxLength: 8 }), weight: 1 },
  );
  return fc.array(part, { maxLength: maxPieces }).map((parts) => parts.join(""));
}

/** True where two lists of ids are equal; fast, as most of thousands are. */
export function areEqual(one: ArrayLike<number>, other: ArrayLike<number>): boolean {
  if (one.length !== other.length) return false;
  return Buffer.compare(bytesOf(one), bytesOf(other)) === 0;
}

function bytesOf(ids: ArrayLike<number>): Uint8Array {
  return new Uint8Array(Uint32Array.from(ids).buffer);
}

/** Text of ids, control tokens left out. */
export function textOf(vocabulary: Vocabulary, ids: Uint32Array): string {
  const detokenizer = vocabulary.detokenizer();
  return detokenizer.push(ids) + detokenizer.finish();
}
