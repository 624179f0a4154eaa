import type { Sampling, TokenLogprob } from "@pixii/wire";
import { Candidates } from "./candidates.ts";
import { draw } from "./draw.ts";
import { argmax, drawFromAll, largest, logSumOf, massOf } from "./log_softmax.ts";

/** A sampled token, with its log-probability where asked for. */
export interface Sampled {
  readonly token: number;
  readonly logprob: TokenLogprob | undefined;
}

/** Below max - this many nats (times the temperature, where that is above 1) a token has no weight in float64. */
const weightlessNats = 36;
/** First guess of how far below the best the candidates of a cut by rank or mass are. */
const firstNats = 6;

/** What came before the first draw. */
export interface SampleHistory {
  readonly prompt: ArrayLike<number>;
  readonly output: ArrayLike<number>;
}

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
  readonly #candidates: Candidates;

  /** `candidates` may be shared by all samplers of a thread. */
  constructor(
    sampling: Sampling,
    choice: number,
    options: SampleHistory & { readonly candidates?: Candidates },
  ) {
    this.#candidates = options.candidates ?? new Candidates();
    this.#sampling = sampling;
    this.#choice = choice;
    const repeats = sampling.repetitionPenalty !== 1;
    this.#penalized = repeats || sampling.presencePenalty !== 0 || sampling.frequencyPenalty !== 0;
    if (repeats) this.#seen = new Set(Array.from(options.prompt));
    for (let i = 0; i < options.output.length; i++) this.#count(options.output[i]);
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
    const changes = sampling.logitBias.length > 0 || this.#penalized || at.banned !== undefined;
    const raw = sampling.logprobs >= 0
      ? rawDistribution(logits, sampling.logprobs, changes)
      : undefined;
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
    return { token, logprob: raw && { logprob: raw.of(token), top: raw.top } };
  }

  /** The token at the next index was drawn elsewhere. */
  took(token: number): void {
    if (this.#penalized) this.#count(token);
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
    const candidates = this.#candidates;
    const u = draw(seedHi, seedLo, this.#choice, index);
    if (topK === 0 && topP === 1 && minP === 0) return drawFromAll(logits, { max, temperature, u });
    const minNats = minP > 0 ? -Math.log(minP) : Infinity;
    const mostNats = weightlessNats * Math.max(1, temperature);
    if (topK > 0) {
      this.#widen(logits, max, mostNats, () => candidates.count >= topK);
      candidates.keepBest(topK);
      if (topP < 1) candidates.keepNucleus(topP, candidates.mass());
    } else if (topP < 1) {
      const total = massOf(logits, max);
      this.#widen(logits, max, mostNats, () => candidates.keepNucleus(topP, total));
    } else candidates.collect(logits, max, Math.min(mostNats, minNats));
    candidates.keepWithin(minNats);
    return candidates.draw(u, temperature);
  }

  /** Collects candidates further and further below the best until there are enough. */
  #widen(logits: Float32Array, max: number, mostNats: number, enough: () => boolean): void {
    for (let nats = firstNats;; nats *= 2) {
      this.#candidates.collect(logits, max, Math.min(nats, mostNats));
      if (enough() || nats >= mostNats) return;
    }
  }
}

/** ln softmax of raw logits: the `n` most likely tokens, and of any one. `changes`: the logits will be written to. */
function rawDistribution(logits: Float32Array, n: number, changes: boolean) {
  const best = argmax(logits);
  const logSum = best === undefined ? NaN : logSumOf(logits, logits[best]);
  const kept = changes ? logits.slice() : logits;
  const top: [number, number][] = [];
  for (const [id, logit] of largest(logits, n)) {
    if (Number.isFinite(logit - logSum)) top.push([id, logit - logSum]);
  }
  return {
    top,
    of: (token: number) => {
      const value = kept[token] - logSum;
      return Number.isFinite(value) ? value : null;
    },
  };
}
