import type { Scored } from "./scored.ts";

/** Random numbers in [0, 1), one at a time. */
export type Draw = () => number;

/** The cheapest; of several, one by chance. Draws only to break a tie. `candidates` is not empty. */
export function pickCheapest(candidates: readonly Scored[], draw: Draw): Scored {
  let least = Infinity;
  for (const one of candidates) least = Math.min(least, one.cost);
  const best = candidates.filter((one) => one.cost === least);
  return best.length === 1 ? best[0] : pickAny(best, draw);
}

/** Any, equally likely. Draws only where there is a choice. `candidates` is not empty. */
export function pickAny(candidates: readonly Scored[], draw: Draw): Scored {
  if (candidates.length === 1) return candidates[0];
  return candidates[Math.floor(draw() * candidates.length)];
}

/**
 * By softmax on costs normalised to [0, 1]: the weight of a candidate is `exp(-(cost - min) / ((max - min) *
 * temperature))`, equal for all where all costs are. One draw. `candidates` is not empty, `temperature` above 0.
 */
export function pickSoftmax(
  candidates: readonly Scored[],
  temperature: number,
  draw: Draw,
): Scored {
  const weights = softmaxWeights(candidates, temperature);
  if (weights === undefined) return pickAny(candidates, draw);
  let left = draw() * weights.reduce((sum, weight) => sum + weight, 0);
  for (let i = 0; i < candidates.length; i++) {
    left -= weights[i];
    if (left < 0) return candidates[i];
  }
  // Rounding may leave a crumb: the last candidate that has a weight at all.
  return candidates[weights.findLastIndex((weight) => weight > 0)];
}

/** The weights of `pickSoftmax`; nothing where all costs are equal, or there is one candidate only. */
export function softmaxWeights(
  candidates: readonly Pick<Scored, "cost">[],
  temperature: number,
): number[] | undefined {
  let least = Infinity;
  let most = -Infinity;
  for (const { cost } of candidates) {
    least = Math.min(least, cost);
    most = Math.max(most, cost);
  }
  if (candidates.length === 1 || most === least) return undefined;
  return candidates.map((one) => Math.exp(-(one.cost - least) / ((most - least) * temperature)));
}

/** Two different ones by chance (two draws); the one alone where there is only one. */
export function pickTwo(candidates: readonly Scored[], draw: Draw): readonly Scored[] {
  if (candidates.length === 1) return candidates;
  const first = Math.floor(draw() * candidates.length);
  const second = Math.floor(draw() * (candidates.length - 1));
  return [candidates[first], candidates[second < first ? second : second + 1]];
}
