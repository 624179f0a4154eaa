import type { WorkerProfile } from "./worker_profile.ts";

/** A tier below the device, as profiles know it. */
export type OnboardTier = keyof WorkerProfile["onboardBlockMs"];

/** Rows of one table in one typed array; `at(x, y)` is bilinear. */
class Grid {
  readonly #xs: Float64Array;
  readonly #ys: Float64Array;
  readonly #ms: Float64Array;

  constructor(xs: readonly number[], ys: readonly number[], ms: readonly (readonly number[])[]) {
    this.#xs = Float64Array.from(xs);
    this.#ys = Float64Array.from(ys);
    this.#ms = Float64Array.from(ms.flat());
  }

  /** Held at the first points, drawn on in a straight line behind the last ones, never below 0. O(points of an axis). */
  at(x: number, y: number): number {
    const i = segment(this.#xs, x);
    const j = segment(this.#ys, y);
    const low = this.#row(i, j, y);
    if (this.#xs.length === 1) return Math.max(0, low);
    const high = this.#row(i + 1, j, y);
    return Math.max(0, between(low, high, share(this.#xs, i, x)));
  }

  #row(i: number, j: number, y: number): number {
    const columns = this.#ys.length;
    const low = this.#ms[i * columns + j];
    return columns === 1 ? low : between(low, this.#ms[i * columns + j + 1], share(this.#ys, j, y));
  }
}

/** The last segment that begins at or before `value`; the first where none does. */
function segment(points: Float64Array, value: number): number {
  let at = 0;
  while (at + 2 < points.length && points[at + 1] <= value) at += 1;
  return at;
}

/** How far `value` lies in segment `at`: 0 at its begin, 1 at its end, more behind the last point, never below 0. */
function share(points: Float64Array, at: number, value: number): number {
  return Math.max(0, (value - points[at]) / (points[at + 1] - points[at]));
}

function between(low: number, high: number, part: number): number {
  return low + (high - low) * part;
}

/**
 * Milliseconds from a profile: bilinear between its points, the first point below them, straight on above them. Made once
 * per profile; every question is O(points of an axis) and allocates nothing.
 */
export class WorkerTimes {
  readonly profile: WorkerProfile;
  readonly #prefill: Grid;
  readonly #decode: Grid;

  constructor(profile: WorkerProfile) {
    const { prefill, decode } = profile;
    this.profile = profile;
    this.#prefill = new Grid(prefill.newTokens, prefill.contextTokens, prefill.ms);
    this.#decode = new Grid(decode.sequences, decode.contextTokens, decode.ms);
  }

  /** Computing `newTokens` of a prompt behind `contextTokens` that are there; 0 for none. */
  prefillMs(newTokens: number, contextTokens: number): number {
    return newTokens <= 0 ? 0 : this.#prefill.at(newTokens, contextTokens);
  }

  /** One step that decodes `sequences` tokens over `contextTokens` of context in all; 0 for none. */
  decodeStepMs(sequences: number, contextTokens: number): number {
    return sequences <= 0 ? 0 : this.#decode.at(sequences, contextTokens / sequences);
  }

  /** Bringing `blocks` of `blockSize` tokens back from a tier; undefined where that was not measured. */
  onboardMs(tier: OnboardTier, { blocks, blockSize }: {
    readonly blocks: number;
    readonly blockSize: number;
  }): number | undefined {
    const blockMs = this.profile.onboardBlockMs[tier];
    return blockMs === undefined
      ? undefined
      : blocks * blockMs * blockSize / this.profile.blockSize;
  }
}
