import type { ProofAnswer } from "./ask.ts";

/** Where an answer differs from the one it should equal. */
export interface Difference {
  readonly prompt: number;
  /** Index of the first output token that differs. */
  readonly at: number;
  readonly expected: string;
  readonly got: string;
}

/** The first difference of two answers: of their tokens, else of their text; undefined where they are the same. */
export function differenceOf(
  prompt: number,
  expected: ProofAnswer,
  got: ProofAnswer,
): Difference | undefined {
  const length = Math.max(expected.tokens.length, got.tokens.length);
  for (let at = 0; at < length; at++) {
    if (expected.tokens[at] === got.tokens[at]) continue;
    const named = (token: string | undefined) => token === undefined ? "nothing" : quoted(token);
    return { prompt, at, expected: named(expected.tokens[at]), got: named(got.tokens[at]) };
  }
  if (expected.text === got.text && expected.promptTokens === got.promptTokens) return undefined;
  return { prompt, at: length, expected: quoted(expected.text), got: quoted(got.text) };
}

/** True where the log-probabilities are the same to the last bit too. */
export function isBitIdentical(expected: ProofAnswer, got: ProofAnswer): boolean {
  return expected.logprobs.length === got.logprobs.length &&
    expected.logprobs.every((value, at) => Object.is(value, got.logprobs[at]));
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
