import { Seeded } from "../seeded.ts";

/** One request of a load: when it comes and how long it is. */
export interface LoadRequest {
  readonly atMs: number;
  readonly isl: number;
  readonly osl: number;
}

/** What is asked at a time: requests per second, mean prompt and output tokens. */
export interface LoadPoint {
  readonly atMs: number;
  readonly rate: number;
  readonly isl: number;
  readonly osl: number;
}

/** A load as a curve of means; between points it goes straight. */
export class LoadCurve {
  readonly points: readonly LoadPoint[];

  /** `points` by time, at least one. */
  constructor(points: readonly LoadPoint[]) {
    this.points = points;
  }

  get endMs(): number {
    return this.points.at(-1)!.atMs;
  }

  /** The means at a time. O(log points). */
  at(ms: number): LoadPoint {
    const { points } = this;
    let [low, high] = [0, points.length - 1];
    if (ms <= points[0].atMs) return points[0];
    if (ms >= points[high].atMs) return points[high];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle].atMs <= ms) low = middle;
      else high = middle;
    }
    const [a, b] = [points[low], points[high]];
    const share = (ms - a.atMs) / (b.atMs - a.atMs);
    const mean = (from: number, to: number) => from + (to - from) * share;
    return {
      atMs: ms,
      rate: mean(a.rate, b.rate),
      isl: mean(a.isl, b.isl),
      osl: mean(a.osl, b.osl),
    };
  }
}

/**
 * Requests of a curve: gaps are Gamma-distributed with coefficient of variation `cv` in the curve's own time, lengths
 * lognormal around the curve's means with coefficient of variation 1, at most `longest` tokens. Same seed, same requests.
 */
export function* requestsOf(
  curve: LoadCurve,
  { seed, cv, longest }: { readonly seed: number; readonly cv: number; readonly longest: number },
): Iterable<LoadRequest> {
  const draw = new Draw(seed);
  const stepMs = 1_000;
  let owed = draw.gamma(1 / cv ** 2) * cv ** 2;
  for (let ms = curve.points[0].atMs; ms < curve.endMs; ms += stepMs) {
    const point = curve.at(ms);
    let offset = 0;
    let left = point.rate * stepMs / 1000;
    while (owed <= left && point.rate > 0) {
      left -= owed;
      offset += owed / point.rate * 1000;
      yield {
        atMs: ms + offset,
        isl: draw.length(point.isl, longest),
        osl: draw.length(point.osl, longest),
      };
      owed = draw.gamma(1 / cv ** 2) * cv ** 2;
    }
    owed -= left;
  }
}

/** Chance for loads. */
class Draw {
  readonly #seeded: Seeded;

  constructor(seed: number) {
    this.#seeded = new Seeded(seed);
  }

  uniform(): number {
    return (this.#seeded.below(0x7fff_ffff) + 0.5) / 0x7fff_ffff;
  }

  /** Standard normal (Box and Muller, 1958). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Gamma of this shape and scale 1 (Marsaglia and Tsang, 2000). */
  gamma(shape: number): number {
    if (shape < 1) return this.gamma(shape + 1) * this.uniform() ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      const u = this.uniform();
      if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  /** Lognormal with this mean and a coefficient of variation of 1. */
  length(mean: number, longest: number): number {
    const sigma = Math.sqrt(Math.log(2));
    const drawn = mean * Math.exp(sigma * this.normal() - sigma ** 2 / 2);
    return Math.max(1, Math.min(longest, Math.round(drawn)));
  }
}
