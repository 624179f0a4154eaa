import { xxh64 } from "@pixii/wire";
import type { Sampling, StopRule, TokenLogprob } from "@pixii/wire";

/** The tokens a simulated model says: words of whole, printable UTF-8. Both lists hold at least one. */
export interface PlainTokens {
  /** What an answer may begin with: words without a space before them, so that templates that trim keep them. */
  readonly first: Uint32Array;
  /** What may follow. */
  readonly rest: Uint32Array;
}

/** The mix of MurmurHash3 (Austin Appleby): every bit of the input moves every bit of the result. */
function mixed(h: number): number {
  let x = h ^ (h >>> 16);
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}

/**
 * Says the tokens of one stream: the token at output index i is a counter-based function of (prompt, seed, choice, i),
 * so it survives migration to another worker and another block size. At temperature 0 seed and choice do not matter.
 * `logit_bias` of 100 and more leaves only the tokens that have it, of -100 and less takes a token out.
 */
export class TokenSource {
  readonly #plain: PlainTokens;
  readonly #stop: StopRule;
  readonly #logprobs: number;
  readonly #hi: number;
  readonly #lo: number;
  readonly #forced: readonly number[];
  readonly #banned: ReadonlySet<number> | undefined;
  readonly #ends: readonly number[];

  constructor(
    options: {
      /** The prompt alone, without a former attempt's output. */
      readonly prompt: Uint32Array;
      readonly choice: number;
      readonly sampling: Sampling;
      readonly stop: StopRule;
      readonly plain: PlainTokens;
      readonly eosTokenIds: readonly number[];
    },
  ) {
    const { prompt, choice, sampling, stop, eosTokenIds } = options;
    this.#plain = options.plain;
    this.#stop = stop;
    this.#logprobs = sampling.logprobs;
    const greedy = sampling.temperature === 0;
    const bytes = new Uint8Array(prompt.buffer, prompt.byteOffset, prompt.byteLength);
    const seed = greedy
      ? { hi: 0, lo: 0 }
      : { hi: mixed(sampling.seedHi ^ mixed(choice + 1)), lo: sampling.seedLo };
    const key = xxh64(bytes, seed);
    this.#hi = key.hi;
    this.#lo = key.lo;
    this.#forced = sampling.logitBias.filter(([, bias]) => bias >= 100).map(([id]) => id);
    const banned = sampling.logitBias.filter(([, bias]) => bias <= -100).map(([id]) => id);
    this.#banned = banned.length === 0 ? undefined : new Set(banned);
    this.#ends = stop.ignoreEos ? stop.stopTokenIds : [...stop.stopTokenIds, ...eosTokenIds];
  }

  /** The token at output index `index`. O(1) where nothing is banned. */
  at(index: number): number {
    const word = mixed(this.#lo ^ mixed(this.#hi + Math.imul(index, 0x9e3779b9)));
    const held = index < this.#stop.minTokens && this.#ends.length > 0;
    if (this.#forced.length > 0) {
      const allowed = held ? this.#forced.filter((id) => !this.#ends.includes(id)) : this.#forced;
      if (allowed.length > 0) return allowed[word % allowed.length];
    }
    const list = index === 0 ? this.#plain.first : this.#plain.rest;
    let at = word % list.length;
    if (!held && this.#banned === undefined) return list[at];
    for (let tries = 0; tries < list.length; tries++, at = (at + 1) % list.length) {
      const token = list[at];
      if (held && this.#ends.includes(token)) continue;
      if (this.#banned?.has(token) !== true) return token;
    }
    // All are banned: a model would still have to say something.
    return list[word % list.length];
  }

  /** True where this token ends the stream. */
  ends(token: number): boolean {
    return this.#ends.length > 0 && this.#ends.includes(token);
  }

  /** Log-probabilities of the token said at `index`: it is the likeliest, the others share what is left by halves. */
  logprob(index: number, token: number): TokenLogprob | undefined {
    if (this.#logprobs < 0) return undefined;
    const share = 0.35 + 0.6 * mixed(this.#hi ^ mixed(this.#lo + index)) / 4294967296;
    const top: [number, number][] = [];
    if (this.#logprobs > 0) top.push([token, Math.log(share)]);
    for (let left = (1 - share) / 2; top.length < this.#logprobs; left /= 2) {
      const next = this.#after(top);
      if (next === undefined) break;
      top.push([next, Math.log(left)]);
    }
    return { logprob: Math.log(share), top };
  }

  /** Another token than those of `top`; undefined where the list has no more. */
  #after(top: readonly (readonly [number, number])[]): number | undefined {
    const { rest } = this.#plain;
    const start = this.#lo % rest.length;
    for (let tries = 0; tries < Math.min(rest.length, top.length + 1); tries++) {
      const next = rest[(start + tries) % rest.length];
      if (!top.some(([id]) => id === next)) return next;
    }
    return undefined;
  }
}
