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
  const ours = expected.voice?.tokens ?? [];
  const theirs = got.voice?.tokens ?? [];
  const isVoiced = ours.length > 0 && theirs.length > 0;
  const length = isVoiced ? Math.max(ours.length, theirs.length) : 0;
  for (let at = 0; at < length; at++) {
    if (ours[at] === theirs[at]) continue;
    const named = (token: string | undefined) => token === undefined ? "nothing" : quoted(token);
    return { prompt, at, expected: named(ours[at]), got: named(theirs[at]) };
  }
  if (expected.text === got.text && expected.promptTokens === got.promptTokens) return undefined;
  return { prompt, at: length, expected: quoted(expected.text), got: quoted(got.text) };
}

/** True where the log-probabilities are the same to the last bit too; undefined where they were not asked for. */
export function isBitIdentical(expected: ProofAnswer, got: ProofAnswer): boolean | undefined {
  if (expected.voice === undefined || got.voice === undefined) return undefined;
  const theirs = got.voice.logprobs;
  return expected.voice.logprobs.length === theirs.length &&
    expected.voice.logprobs.every((value, at) => Object.is(value, theirs[at]));
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
