/** Ages are counted in bins whose edges are a half octave apart, from a quarter of a second to about six hours. */
const bins = 33;
const firstMs = 250;
/** Old counts fade: each is halved after so many newer ones. */
const halfLife = 20_000;

/**
 * How likely blocks are asked for again that were not for some time: learnt from the ages at which runs of blocks were
 * used again or given up (the product-limit estimate of Kaplan and Meier, over logarithmic bins). Pure.
 */
export class ReuseAges {
  /** Runs that came to the age of a bin's begin, and those of them that were used again in it. */
  readonly #came = new Float64Array(bins);
  readonly #again = new Float64Array(bins);
  #count = 0;

  /** A run was used again, or given up, at this age. O(bins). */
  left(ageMs: number, isUsedAgain: boolean): void {
    const last = binOf(ageMs);
    for (let bin = 0; bin <= last; bin++) this.#came[bin] += 1;
    if (isUsedAgain) this.#again[last] += 1;
    this.#count += 1;
    if (this.#count < halfLife) return;
    this.#count = 0;
    for (let bin = 0; bin < bins; bin++) {
      this.#came[bin] /= 2;
      this.#again[bin] /= 2;
    }
  }

  /** The chance in [0, 1] that what was not used for `ageMs` will be; 0 while nothing is known. O(bins). */
  chance(ageMs: number): number {
    let never = 1;
    for (let bin = binOf(ageMs); bin < bins; bin++) {
      // One more that was not used again: few observations prove little.
      never *= 1 - this.#again[bin] / (this.#came[bin] + 1);
    }
    return 1 - never;
  }
}

function binOf(ageMs: number): number {
  if (ageMs <= firstMs) return 0;
  return Math.min(bins - 1, Math.floor(2 * Math.log2(ageMs / firstMs)));
}
