import { ageBin, ageBins, ageEdge } from "./age_bins.ts";

/** Last uses that a sample follows. */
const followed = 262_144;
/** Places of the table that finds them by key. */
const places = 2 * followed;
/** Blocks that a pool remembers, times its slots: how far back reuse is looked for. */
const reach = 8;

/**
 * How often blocks of a class are asked for again by the time since they last were, counted over a fixed part of all keys,
 * in the pool or not: uses, and time in which a use could have come. Time is blocks asked for. O(1) a use.
 */
export class ReuseSample {
  /** By class and bin of age: uses, and time at risk. */
  readonly uses: Float64Array;
  readonly risk: Float64Array;
  /** Classes that were seen. */
  readonly classes: number[] = [];
  /** By class and bin: last uses that are in it, and the sum of their times. */
  readonly #within: Float64Array;
  readonly #since: Float64Array;
  readonly #isSeen: Uint8Array;
  readonly #shift: number;
  /** A ring of last uses in their order; how many there ever were. */
  readonly #keys = new Uint32Array(followed);
  readonly #at = new Float64Array(followed);
  readonly #of = new Uint16Array(followed);
  #count = 0;
  /** The last use of a key: one more than its number in the ring. */
  readonly #last = new Float64Array(places);
  /** Per bin: the number of the first last use that has not passed it. */
  readonly #passed = new Float64Array(ageBins);

  constructor(options: { readonly classes: number; readonly slots: number }) {
    this.uses = new Float64Array(options.classes * ageBins);
    this.risk = new Float64Array(options.classes * ageBins);
    this.#within = new Float64Array(options.classes * ageBins);
    this.#since = new Float64Array(options.classes * ageBins);
    this.#isSeen = new Uint8Array(options.classes);
    const wanted = reach * options.slots / followed;
    this.#shift = Math.min(20, Math.max(0, Math.ceil(Math.log2(wanted))));
  }

  /** True where uses of this key are counted. */
  has(key: number): boolean {
    return this.#shift === 0 || key >>> (32 - this.#shift) === 0;
  }

  /** A key that is counted is asked for, and is of this class from now on. */
  used(key: number, of: number, now: number): void {
    const place = key & (places - 1);
    const before = this.#last[place] - 1;
    if (before >= 0 && before >= this.#count - followed) {
      const entered = this.#leave(before);
      // Another key of the same place is followed no more.
      if (this.#keys[before % followed] === key) this.#countUse(before, entered, now);
    }
    const ring = this.#count % followed;
    const oldest = this.#count - followed;
    if (oldest >= 0 && this.#isLast(oldest)) this.#leave(oldest);
    this.#keys[ring] = key;
    this.#at[ring] = now;
    this.#of[ring] = of;
    this.#last[place] = ++this.#count;
    this.#move(ring, 0, 1);
    this.meet(of);
  }

  /** There is such a class; true where that is new. */
  meet(of: number): boolean {
    if (this.#isSeen[of] === 1) return false;
    this.#isSeen[of] = 1;
    this.classes.push(of);
    return true;
  }

  /** Counts the time that passed without a use. O(1) per last use and bin over all calls. */
  pass(now: number): void {
    const oldest = Math.max(0, this.#count - followed);
    for (let bin = 0; bin < ageBins; bin++) {
      const end = ageEdge(bin + 1);
      const span = end - ageEdge(bin);
      let number = Math.max(oldest, this.#passed[bin]);
      for (; number < this.#count; number++) {
        const ring = number % followed;
        if (now - this.#at[ring] <= end) break;
        if (!this.#isLast(number)) continue;
        this.risk[this.#of[ring] * ageBins + bin] += span;
        this.#move(ring, bin, -1);
        if (bin + 1 < ageBins) this.#move(ring, bin + 1, 1);
      }
      this.#passed[bin] = number;
    }
  }

  /**
   * Time at risk, with what has passed so far of the bins that last uses are in now: without it the oldest ages that were
   * seen would have uses and hardly any time, and seem worth waiting for. After `pass`. O(classes x bins).
   */
  riskUntil(now: number): Float64Array {
    return this.risk.map((risk, i) =>
      risk + this.#within[i] * (now - ageEdge(i % ageBins)) - this.#since[i]
    );
  }

  /** What was counted so far counts `part` as much from now on. */
  fade(part: number): void {
    for (let i = 0; i < this.uses.length; i++) {
      this.uses[i] *= part;
      this.risk[i] *= part;
    }
  }

  /** True where its key was not used after it. */
  #isLast(number: number): boolean {
    return this.#last[this.#keys[number % followed] & (places - 1)] === number + 1;
  }

  /** A last use is none any more; answers the bin that it was in. O(log bins). */
  #leave(number: number): number {
    // The first bin that it has not passed: a later bin was passed by fewer.
    let [low, high] = [0, ageBins - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#passed[middle] <= number) high = middle;
      else low = middle + 1;
    }
    this.#move(number % followed, low, -1);
    return low;
  }

  /** A last use came back, from the bin that it was last seen in. */
  #countUse(number: number, entered: number, now: number): void {
    const ring = number % followed;
    const age = now - this.#at[ring];
    const bin = ageBin(age);
    const at = this.#of[ring] * ageBins;
    this.uses[at + bin] += 1;
    for (let gone = entered; gone < bin; gone++) {
      this.risk[at + gone] += ageEdge(gone + 1) - ageEdge(gone);
    }
    this.risk[at + bin] += Math.min(age, ageEdge(bin + 1)) - ageEdge(bin);
  }

  #move(ring: number, bin: number, by: 1 | -1): void {
    const at = this.#of[ring] * ageBins + bin;
    this.#within[at] += by;
    this.#since[at] += by * this.#at[ring];
  }
}
