import type { LoadRequest } from "./request_line.ts";

/** Means of what is asked at a time. */
export interface MeanLoad {
  /** Requests per second; prompt and answer tokens of one. */
  readonly rate: number;
  readonly isl: number;
  readonly osl: number;
}

/** What a load really asks, as means over any span: sums by bins, so that a question is O(1). */
export class LoadMeans {
  readonly binMs = 15_000;
  /** Sums up to the begin of each bin: requests, prompt tokens, answer tokens. */
  readonly #sums: readonly Float64Array[];

  /** `requests` by time. */
  constructor(requests: readonly LoadRequest[]) {
    const bins = Math.floor((requests.at(-1)?.atMs ?? 0) / this.binMs) + 1;
    this.#sums = [0, 1, 2].map(() => new Float64Array(bins + 1));
    for (const { atMs, isl, osl } of requests) {
      const at = Math.floor(atMs / this.binMs) + 1;
      [1, isl, osl].forEach((value, i) => this.#sums[i][at] += value);
    }
    for (const sums of this.#sums) for (let i = 1; i <= bins; i++) sums[i] += sums[i - 1];
  }

  /** Over `spanMs` around a time. */
  over(ms: number, spanMs: number): MeanLoad {
    const last = this.#sums[0].length - 1;
    const bin = (at: number) => Math.max(0, Math.min(last, Math.round(at / this.binMs)));
    const half = Math.max(spanMs, this.binMs) / 2;
    const middle = ms + this.binMs / 2;
    const [from, to] = [bin(middle - half), bin(middle + half)];
    const [count, prompts, answers] = this.#sums.map((sums) => sums[to] - sums[from]);
    const seconds = Math.max(1, to - from) * this.binMs / 1000;
    return {
      rate: count / seconds,
      isl: prompts / Math.max(1, count),
      osl: answers / Math.max(1, count),
    };
  }
}
