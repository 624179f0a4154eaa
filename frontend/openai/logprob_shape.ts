import type { Vocabulary } from "../core/vocabulary.ts";
import type { TokenDetail } from "../http/choice_text.ts";

/** What stands where a probability is zero: OpenAI's own floor. */
const floor = -9999;

function spelled(vocabulary: Vocabulary, token: number): { token: string; bytes: number[] } {
  const bytes = vocabulary.tokenBytes(token);
  return { token: new TextDecoder().decode(bytes), bytes: Array.from(bytes) };
}

/** One entry of a chat choice's `logprobs.content`. */
export function chatLogprob(vocabulary: Vocabulary, detail: TokenDetail): Record<string, unknown> {
  const { token, bytes } = spelled(vocabulary, detail.token);
  return {
    token,
    logprob: detail.logprob.logprob ?? floor,
    bytes,
    top_logprobs: detail.logprob.top.map(([id, logprob]) => {
      const other = spelled(vocabulary, id);
      return { token: other.token, logprob, bytes: other.bytes };
    }),
  };
}

/** The `logprobs` of a text completion's choice. `offset` is where its text begins. */
export function textLogprobs(
  vocabulary: Vocabulary,
  details: readonly TokenDetail[],
  offset: number,
): Record<string, unknown> {
  const tokens: string[] = [];
  const offsets: number[] = [];
  let at = offset;
  for (const detail of details) {
    const { token } = spelled(vocabulary, detail.token);
    tokens.push(token);
    offsets.push(at);
    at += token.length;
  }
  return {
    tokens,
    token_logprobs: details.map((detail) => detail.logprob.logprob ?? floor),
    top_logprobs: details.map((detail) =>
      Object.fromEntries(detail.logprob.top.map(([id, p]) => [spelled(vocabulary, id).token, p]))
    ),
    text_offset: offsets,
  };
}
