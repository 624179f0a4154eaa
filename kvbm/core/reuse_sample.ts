import { ageBin, ageBins, ageEdge } from "./age_bins.ts";

/** Last uses that a sample follows. */
const followed = 131_072;
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
    if (before >= 0 && before >= this.#count - followed && this.#keys[before % followed] === key) {
      const ring = before % followed;
      const age = now - this.#at[ring];
      const bin = ageBin(age);
      const at = this.#of[ring] * ageBins + bin;
      this.uses[at] += 1;
      this.risk[at] += Math.min(age, ageEdge(bin + 1)) - ageEdge(bin);
    }
    const ring = this.#count % followed;
    this.#keys[ring] = key;
    this.#at[ring] = now;
    this.#of[ring] = of;
    this.#last[place] = ++this.#count;
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
        if (this.#last[this.#keys[ring] & (places - 1)] !== number + 1) continue;
        this.risk[this.#of[ring] * ageBins + bin] += span;
      }
      this.#passed[bin] = number;
    }
  }

  /** What was counted so far counts `part` as much from now on. */
  fade(part: number): void {
    for (let i = 0; i < this.uses.length; i++) {
      this.uses[i] *= part;
      this.risk[i] *= part;
    }
  }
}
