/** A run of tokens; equal salts give equal runs. */
export interface TokenRun {
  readonly count: number;
  readonly salt: number;
}

/** Token ids below `vocabSize`, run after run, the same for the same runs: a linear congruential generator per run. */
export function promptTokens(vocabSize: number, runs: readonly TokenRun[]): Uint32Array {
  const tokens = new Uint32Array(runs.reduce((sum, run) => sum + run.count, 0));
  let at = 0;
  for (const { count, salt } of runs) {
    let state = (Math.imul(salt, 2654435761) ^ 0x9e3779b9) >>> 0;
    for (let i = 0; i < count; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      tokens[at++] = Math.floor(state / 2 ** 32 * vocabSize);
    }
  }
  return tokens;
}
