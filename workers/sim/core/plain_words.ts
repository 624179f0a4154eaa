import type { VocabularyArtifact } from "@pixii/wire";
import type { PlainTokens } from "./token_source.ts";

/** Fewer words than this say too little: then every printable token is said. */
const fewWords = 32;

/** The byte that each letter of a byte-level vocabulary stands for (GPT-2's table: printable ones are themselves). */
function byteOfLetter(): ReadonlyMap<string, number> {
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const letters = new Map<string, number>();
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    letters.set(String.fromCodePoint(isPrintable(byte) ? byte : next++), byte);
  }
  return letters;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of a token; undefined where its bytes are not whole UTF-8. */
function textOf(token: string, letters: ReadonlyMap<string, number>): string | undefined {
  // Most tokens are letters of ASCII and perhaps a space before them.
  if (/^\u0120?[!-~]*$/.test(token)) return token.replace("\u0120", " ");
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = letters.get(token[i]);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  try {
    return decoder.decode(bytes);
  } catch {
    // Half of a character: such a token is never said alone.
    return undefined;
  }
}

interface TokenizerJson {
  readonly model?: { readonly vocab?: Readonly<Record<string, number>> };
  readonly added_tokens?: readonly { readonly id: number; readonly content: string }[];
}

/** Ids in a vocabulary: the largest + 1. */
export function vocabularySize(vocabulary: VocabularyArtifact): number {
  const { model, added_tokens: added = [] } = vocabulary.tokenizer as TokenizerJson;
  let size = 0;
  for (const id of Object.values(model?.vocab ?? {})) size = Math.max(size, id + 1);
  for (const { id } of added) size = Math.max(size, id + 1);
  return size;
}

/**
 * What a simulated model says, ids ascending: never special tokens, never parts of a character. Where a vocabulary has
 * words, only a space and letters: such words stay the same tokens when an answer comes back as part of a prompt, so a
 * conversation finds its own blocks again. Undefined where nothing is printable.
 */
export function plainTokensOf(vocabulary: VocabularyArtifact): PlainTokens | undefined {
  const { model, added_tokens: added = [] } = vocabulary.tokenizer as TokenizerJson;
  const special = new Set([...added.map(({ id }) => id), ...vocabulary.eosTokenIds]);
  const letters = byteOfLetter();
  const starts: number[] = [];
  const words: number[] = [];
  const printable: number[] = [];
  for (const [token, id] of Object.entries(model?.vocab ?? {})) {
    if (special.has(id)) continue;
    const text = textOf(token, letters);
    // U+FFFD stands for what could not be read: nobody should have to wonder where it came from.
    if (text === undefined || !/^[\p{L}\p{N}\p{P}\p{S} ]+$/u.test(text)) continue;
    if (text.includes("\ufffd")) continue;
    printable.push(id);
    if (/^ \p{L}+$/u.test(text)) words.push(id);
    else if (/^\p{L}+$/u.test(text)) starts.push(id);
  }
  if (printable.length === 0) return undefined;
  const sorted = (ids: number[]) => Uint32Array.from(ids).sort();
  const rest = sorted(words.length < fewWords ? printable : words);
  return { first: starts.length === 0 ? rest : sorted(starts), rest };
}
