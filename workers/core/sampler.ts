import type { Sampling, TokenLogprob } from "@pixii/wire";
import { draw } from "./draw.ts";

/** A sampled token, with its log-probability where asked for. */
export interface Sampled {
  readonly token: number;
  readonly logprob: TokenLogprob | undefined;
}

/** Below max - this many nats (times the temperature, where that is above 1) a token has no weight in float64. */
const weightlessNats = 36;

/**
 * Draws the tokens of one sequence. Order: logit_bias, penalties, then greedy or top_k, top_p, min_p, temperature, draw.
 * Repetition penalty is over prompt and output (Keskar et al., CTRL), presence and frequency over output (OpenAI).
 */
export class TokenSampler {
  readonly #sampling: Sampling;
  readonly #choice: number;
  readonly #output = new Map<number, number>();
  readonly #seen: Set<number> | undefined;
  readonly #penalized: boolean;
  #ids = new Uint32Array(256);
  #weights = new Float64Array(256);

  constructor(
    sampling: Sampling,
    choice: number,
    history: { readonly prompt: ArrayLike<number>; readonly output: ArrayLike<number> },
  ) {
    this.#sampling = sampling;
    this.#choice = choice;
    const repeats = sampling.repetitionPenalty !== 1;
    this.#penalized = repeats || sampling.presencePenalty !== 0 || sampling.frequencyPenalty !== 0;
    if (repeats) this.#seen = new Set(Array.from(history.prompt));
    for (let i = 0; i < history.output.length; i++) this.#count(history.output[i]);
  }

  /**
   * The token at output index `index`; `undefined` where no logit is finite (a broken model). `banned` tokens cannot be
   * drawn. Changes `logits` in place.
   */
  sample(
    logits: Float32Array,
    at: { readonly index: number; readonly banned?: readonly number[] },
  ): Sampled | undefined {
    const sampling = this.#sampling;
    const raw = sampling.logprobs >= 0 ? logProbabilities(logits, sampling.logprobs) : undefined;
    for (const [id, bias] of sampling.logitBias) if (id < logits.length) logits[id] += bias;
    if (this.#penalized) this.#penalize(logits);
    if (at.banned !== undefined) {
      for (const id of at.banned) if (id < logits.length) logits[id] = -Infinity;
    }
    const best = argmax(logits);
    if (best === undefined) return undefined;
    const token = sampling.temperature === 0 || sampling.topK === 1
      ? best
      : this.#draw(logits, logits[best], at.index);
    if (this.#penalized) this.#count(token);
    return {
      token,
      logprob: raw && { logprob: raw.of(token), top: raw.top },
    };
  }

  #count(token: number): void {
    this.#output.set(token, (this.#output.get(token) ?? 0) + 1);
    this.#seen?.add(token);
  }

  #penalize(logits: Float32Array): void {
    const { repetitionPenalty, presencePenalty, frequencyPenalty } = this.#sampling;
    if (this.#seen !== undefined) {
      for (const id of this.#seen) {
        if (id >= logits.length) continue;
        logits[id] = logits[id] > 0
          ? logits[id] / repetitionPenalty
          : logits[id] * repetitionPenalty;
      }
    }
    for (const [id, count] of this.#output) {
      if (id < logits.length) logits[id] -= presencePenalty + frequencyPenalty * count;
    }
  }

  #draw(logits: Float32Array, max: number, index: number): number {
    const { temperature, topK, topP, minP, seedHi, seedLo } = this.#sampling;
    let nats = weightlessNats * Math.max(1, temperature);
    const least = minP > 0 ? max + Math.log(minP) : -Infinity;
    // min_p comes after top_p, so it may cut early only where top_p does not need the mass it cuts.
    if (minP > 0 && topP === 1) nats = Math.min(nats, -Math.log(minP));
    let count = this.#collect(logits, max - nats);
    const ids = this.#ids;
    if (topK > 0 || topP < 1) {
      // Sorting the few that carry weight is cheap; ties go to the lower id, so a draw is reproducible.
      const order = Array.from(ids.subarray(0, count))
        .sort((a, b) => logits[b] - logits[a] || a - b);
      if (topK > 0) count = Math.min(count, topK);
      if (topP < 1) count = nucleus(order, count, { logits, max, topP });
      for (let i = 0; i < count; i++) ids[i] = order[i];
    }
    let kept = 0;
    for (let i = 0; i < count; i++) if (logits[ids[i]] >= least) ids[kept++] = ids[i];
    count = kept;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      sum += Math.exp((logits[ids[i]] - max) / temperature);
      this.#weights[i] = sum;
    }
    const wanted = draw(seedHi, seedLo, this.#choice, index) * sum;
    for (let i = 0; i < count; i++) if (wanted < this.#weights[i]) return ids[i];
    return ids[count - 1];
  }

  /** Ids of all logits at or above `cut`, ascending, into the scratch array. */
  #collect(logits: Float32Array, cut: number): number {
    let count = 0;
    for (let id = 0; id < logits.length; id++) {
      if (!(logits[id] >= cut)) continue;
      if (count === this.#ids.length) this.#grow();
      this.#ids[count++] = id;
    }
    return count;
  }

  #grow(): void {
    const ids = new Uint32Array(this.#ids.length * 4);
    ids.set(this.#ids);
    this.#ids = ids;
    this.#weights = new Float64Array(ids.length);
  }
}

/** How many of `order` (best first) make up `topP` of the probability of its first `count`; at least 1. */
function nucleus(
  order: readonly number[],
  count: number,
  options: { readonly logits: Float32Array; readonly max: number; readonly topP: number },
): number {
  const { logits, max, topP } = options;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += Math.exp(logits[order[i]] - max);
  let reached = 0;
  for (let i = 0; i < count; i++) {
    reached += Math.exp(logits[order[i]] - max);
    if (reached >= topP * sum) return i + 1;
  }
  return count;
}

/** Id of the largest finite logit, the lowest on ties. */
function argmax(logits: Float32Array): number | undefined {
  let best = -1;
  let value = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    if (logits[id] > value) {
      value = logits[id];
      best = id;
    }
  }
  return best < 0 || value === Infinity ? undefined : best;
}

/** ln softmax of raw logits: the `n` most likely tokens, and of any one. */
function logProbabilities(logits: Float32Array, n: number) {
  let max = -Infinity;
  for (const logit of logits) if (logit > max) max = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - max);
  const logSum = max + Math.log(sum);
  const top: [number, number][] = [];
  for (let id = 0; id < logits.length && n > 0; id++) {
    const logit = logits[id];
    if (top.length === n && !(logit - logSum > top[n - 1][1])) continue;
    let place = top.length;
    while (place > 0 && top[place - 1][1] < logit - logSum) place -= 1;
    top.splice(place, 0, [id, logit - logSum]);
    if (top.length > n) top.pop();
  }
  const finite = (value: number) => Number.isFinite(value) ? value : null;
  const copy = logits.slice();
  return {
    top: top.filter(([, value]) => Number.isFinite(value)),
    of: (token: number) => finite(copy[token] - logSum),
  };
}
