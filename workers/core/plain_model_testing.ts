import type { EngineRequest } from "../engine.ts";

/** Tokens that the plain model knows. */
export const plainVocabSize = 8;

/** Logits that depend on every token the cache holds before them. */
export function plainLogits(tokens: readonly number[]): Float32Array {
  let hash = 17;
  for (const token of tokens) hash = Math.imul(hash ^ token, 0x01000193) >>> 0;
  return Float32Array.from(
    { length: plainVocabSize },
    (_, id) => (Math.imul(hash ^ (id * 0x9e3779b1), 0x85ebca6b) >>> 8) / 2 ** 22,
  );
}

/** What a greedy stream must say: no batch, no cache. */
export function plainOutput({ tokens, stop }: EngineRequest, contextLength: number): number[] {
  const all = [...tokens];
  const said: number[] = [];
  while (said.length < stop.maxTokens && all.length < contextLength) {
    const logits = plainLogits(all);
    const next = logits.indexOf(Math.max(...logits));
    all.push(next);
    said.push(next);
  }
  return said;
}
