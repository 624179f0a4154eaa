import type { Detokenizer, Vocabulary } from "../core/vocabulary.ts";
import type { TokenDetail } from "../http/choice_text.ts";

/** What stands where a probability is zero: OpenAI's own floor. */
const floor = -9999;

const whole = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A token's text; one that is only a part of a character is `mark` and its bytes, `\xe2\x80`, as OpenAI spells it. */
function spelled(bytes: Uint8Array, mark = ""): string {
  try {
    return whole.decode(bytes);
  } catch {
    // Not whole characters.
    return mark + Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");
  }
}

function entry(vocabulary: Vocabulary, token: number, logprob: number) {
  const bytes = vocabulary.tokenBytes(token);
  return { token: spelled(bytes), logprob, bytes: Array.from(bytes) };
}

/** `logprobs` of a chat choice, or of a chunk of it. */
export function chatLogprobs(
  vocabulary: Vocabulary,
  details: readonly TokenDetail[],
): Record<string, unknown> {
  const content = details.map(({ token, logprob }) => ({
    ...entry(vocabulary, token, logprob.logprob ?? floor),
    top_logprobs: logprob.top.map(([id, p]) => entry(vocabulary, id, p)),
  }));
  return { content, refusal: null };
}

/** `logprobs` of one text completion's choice, part by part; keeps where each token's text begins. */
export class TextLogprobs {
  readonly #vocabulary: Vocabulary;
  readonly #detokenizer: Detokenizer;
  #offset: number;

  /** `offset`: UTF-16 units of text before the first token. */
  constructor(vocabulary: Vocabulary, offset: number) {
    this.#vocabulary = vocabulary;
    this.#detokenizer = vocabulary.detokenizer();
    this.#offset = offset;
  }

  /** The part for these tokens, which follow those of the call before. */
  next(details: readonly TokenDetail[]): Record<string, unknown> {
    return {
      tokens: details.map(({ token }) => this.#name(token)),
      token_logprobs: details.map(({ logprob }) => logprob.logprob ?? floor),
      top_logprobs: details.map((detail) => this.#top(detail)),
      text_offset: details.map(({ token }) => {
        const offset = this.#offset;
        this.#offset += this.#detokenizer.push([token]).length;
        return offset;
      }),
    };
  }

  /** The most likely tokens by name, and the chosen one with them. */
  #top({ token, logprob }: TokenDetail): Record<string, number> {
    const top = new Map(logprob.top.map(([id, p]) => [this.#name(id), p] as const));
    const chosen = this.#name(token);
    if (!top.has(chosen)) top.set(chosen, logprob.logprob ?? floor);
    return Object.fromEntries(top);
  }

  #name(token: number): string {
    return spelled(this.#vocabulary.tokenBytes(token), "bytes:");
  }
}
