import type { VocabularyArtifact } from "@pixii/wire";
import { byteLetters } from "../core/byte_letters.ts";

/** Byte letters of a text. */
export function spelled(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byteLetters[byte]).join("");
}

/** Words the small vocabulary has as tokens; the letters before the last are tokens too. */
const words = [
  ..." the| and| hello|hello| world|ing|'s|'ll| \n|\n\n|  |    |aa|aaaa|12|日本|é| é|…|//|ab|bc|abc|cab"
    .split("|"),
];

/** Control tokens, then one that any text may spell. */
export const smallSpecials = ["<|end|>", "<|start|>", "<|bos|>"] as const;
/** Spelled in any text. */
export const smallUserDefined = "<think>";

/**
 * A byte-level BPE vocabulary of some three hundred tokens: the bytes, words grown byte by byte, the specials last.
 * Changes go into the artifact, those of `tokenizer` into its tokenizer.
 */
export function smallArtifact(
  changes: Partial<VocabularyArtifact> = {},
  tokenizer: Readonly<Record<string, unknown>> = {},
): VocabularyArtifact {
  const tokens = [...byteLetters];
  const merges: string[] = [];
  for (const word of words.map(spelled)) {
    for (let end = 2; end <= word.length; end++) {
      if (tokens.includes(word.slice(0, end))) continue;
      tokens.push(word.slice(0, end));
      merges.push(`${word.slice(0, end - 1)} ${word[end - 1]}`);
    }
  }
  merges.push("aa aa");
  const first = tokens.length;
  const added = [...smallSpecials, smallUserDefined].map((content, i) => ({
    id: first + i,
    content,
    special: content !== smallUserDefined,
    ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
  }));
  return {
    version: 1,
    tokenizer: {
      added_tokens: added,
      normalizer: null,
      pre_tokenizer: null,
      model: {
        type: "BPE",
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges,
      },
      ...tokenizer,
    },
    tokenizerConfig: {},
    chatTemplate: "{% for message in messages %}<|start|>{{ message.role }}\n" +
      "{{ message.content }}<|end|>\n{% endfor %}{{ '<|start|>assistant\n' }}",
    bosToken: "<|bos|>",
    eosToken: "<|end|>",
    addBos: false,
    eosTokenIds: [first],
    pre: "gpt-2",
    ...changes,
  };
}
