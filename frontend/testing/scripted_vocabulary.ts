import { ok } from "@pixii/wire";
import type { Vocabulary } from "../core/vocabulary.ts";

/** Id of the one special token, `<|end|>`. */
export const scriptedSpecial = 256;
/** Ids from here on are long words of `longWordChars` characters. */
export const scriptedLongWord = 20_000;
/** Characters of a long word. */
export const longWordChars = 2_000;

const special = "<|end|>";
const encoder = new TextEncoder();

/** Token ids of a text: one per byte. */
export function scriptedTokens(text: string): number[] {
  return [...encoder.encode(text)];
}

/**
 * A vocabulary one can read: ids below 256 are bytes, 256 is the special token, id 1000 + n is the word " n", and from
 * `scriptedLongWord` on all are long.
 */
export function scriptedVocabulary(hasChatTemplate = true): Vocabulary {
  const tokenBytes = (id: number): Uint8Array => {
    if (id < 256) return Uint8Array.of(id);
    if (id === scriptedSpecial) return encoder.encode(special);
    if (id >= scriptedLongWord) return encoder.encode("x".repeat(longWordChars));
    return encoder.encode(` ${id - 1000}`);
  };
  const encode: Vocabulary["encode"] = (text, { parseSpecials }) =>
    Uint32Array.from(
      text.split(parseSpecials ? special : /$^/).flatMap((part, index) =>
        index === 0 ? scriptedTokens(part) : [scriptedSpecial, ...scriptedTokens(part)]
      ),
    );
  return {
    size: 32_000,
    hasChatTemplate,
    tokenBytes,
    isSpecial: (id) => id === scriptedSpecial,
    encode,
    encodePrompt: (text, options) => ok(encode(text, options)),
    encodeChat: (messages) => {
      const turns = messages.map(({ role, content }) => `${role}: ${content}\n`);
      return ok(Uint32Array.from(scriptedTokens(`${turns.join("")}assistant:`)));
    },
    detokenizer: () => {
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
      return {
        push: (tokens) => {
          let text = "";
          for (let i = 0; i < tokens.length; i++) {
            if (tokens[i] === scriptedSpecial) continue;
            text += decoder.decode(tokenBytes(tokens[i]), { stream: true });
          }
          return text;
        },
        finish: () => decoder.decode(),
      };
    },
  };
}
