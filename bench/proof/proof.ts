import type { ProofAnswer } from "./ask.ts";
import { differenceOf, isBitIdentical } from "./compare.ts";
import type { Difference } from "./compare.ts";
import type { HouseOptions } from "./house.ts";
import { monolithic } from "./modes.ts";
import type { ProofMode } from "./modes.ts";
import type { ProofPrompt } from "./prompts.ts";

/** What became of one mode. */
export interface ModeOutcome {
  readonly mode: string;
  readonly about: string;
  readonly answers: number;
  /** Answers with the same tokens as the monolithic ones. */
  readonly identical: number;
  /** Those whose log-probabilities are the same to the last bit. */
  readonly bitIdentical: number;
  /** Answers that came with log-probabilities. */
  readonly voiced: number;
  /** Prompt tokens that came by the way the mode is about. */
  readonly usedTokens: number;
  readonly first: Difference | undefined;
  /** Why it could not be run to its end. */
  readonly failed: string | undefined;
}

/** True where a mode has shown what it is about. */
export function isProved({ answers, identical, usedTokens, failed }: ModeOutcome): boolean {
  return failed === undefined && answers > 0 && identical === answers && usedTokens > 0;
}

/** Runs the monolithic house, then the modes, each over all prompts, one request at a time. */
export async function runProof(options: {
  readonly house: HouseOptions;
  readonly prompts: readonly ProofPrompt[];
  readonly modes: readonly ProofMode[];
  readonly groupSize: number;
  readonly diskSize: string;
  /** Told after every answer. */
  readonly onAnswer?: (mode: string, done: number, of: number) => void;
}): Promise<readonly ModeOutcome[]> {
  const { prompts, modes, onAnswer = () => {} } = options;
  const expected: ProofAnswer[] = [];
  const outcomes: ModeOutcome[] = [];
  for (const mode of [monolithic, ...modes]) {
    const of = mode.answers * prompts.length;
    const seen = { answers: 0, identical: 0, bitIdentical: 0, voiced: 0 };
    let first: Difference | undefined;
    const take = (prompt: number, answer: ProofAnswer) => {
      if (mode === monolithic) expected[prompt] = answer;
      const difference = differenceOf(prompt, expected[prompt], answer);
      seen.answers += 1;
      if (difference === undefined) seen.identical += 1;
      const isBits = isBitIdentical(expected[prompt], answer);
      if (isBits !== undefined) seen.voiced += 1;
      if (isBits === true) seen.bitIdentical += 1;
      first ??= difference;
      onAnswer(mode.name, seen.answers, of);
    };
    let usedTokens = 0;
    let failed: string | undefined;
    try {
      usedTokens = await mode.run({ ...options, take });
      if (seen.answers !== of) failed = `${seen.answers} of ${of} answers came`;
    } catch (error) {
      failed = (error as Error).message;
    }
    outcomes.push({ mode: mode.name, about: mode.about, ...seen, usedTokens, first, failed });
    if (mode === monolithic && failed !== undefined) break;
  }
  return outcomes;
}
