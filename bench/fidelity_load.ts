import { promptTokens } from "@pixii/cluster";

/** What a load is made of. */
export interface FidelityShape {
  readonly requests: number;
  /** Mean arrivals a second; they come by chance, evenly over time. */
  readonly perSecond: number;
  /** Bounds of a prompt's own tokens and of an answer's. */
  readonly leastPrompt: number;
  readonly mostPrompt: number;
  readonly leastOutput: number;
  readonly mostOutput: number;
  /** Tokens that all prompts share. */
  readonly sharedTokens: number;
}

/** One request of a load. */
export interface FidelityRequest {
  /** From the begin of the load. */
  readonly atMs: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

/** Numbers from 0 to below 1: xorshift32. */
function* chances(seed: number): Generator<number, never> {
  let x = (Math.imul(seed, 2654435761) ^ 0x9e3779b9) >>> 0 || 1;
  while (true) {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    yield x / 2 ** 32;
  }
}

/** The requests of a seed: exponential gaps, even lengths. */
export function fidelityLoad(shape: FidelityShape, seed: number): readonly FidelityRequest[] {
  const chance = chances(seed);
  const next = () => chance.next().value;
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  let atMs = 0;
  return Array.from({ length: shape.requests }, () => {
    atMs += -Math.log(1 - next()) * 1000 / shape.perSecond;
    return {
      atMs,
      promptTokens: between(shape.leastPrompt, shape.mostPrompt),
      outputTokens: between(shape.leastOutput, shape.mostOutput),
    };
  });
}

/** Token ids below this are words in every vocabulary that is used here. */
const someTokens = 20_000;

/** A request's tokens: the shared ones, then its own. Another `salt` is another text of the same length. */
export function tokensOfRequest(
  { sharedTokens }: FidelityShape,
  request: FidelityRequest & { readonly index: number; readonly salt: number },
): Uint32Array {
  return promptTokens(someTokens, [
    { count: sharedTokens, salt: request.salt },
    { count: request.promptTokens, salt: request.salt * 1009 + request.index + 1 },
  ]).map((token) => token + 300);
}
