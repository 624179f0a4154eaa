import { expOfMinus } from "./fast_exp.ts";

/** Buckets of a cut by rank or by mass: only the one where the cut falls is sorted. */
const buckets = 1_024;

/**
 * The tokens a draw may choose from, by ascending id, in arrays that one thread uses again for every draw. Nothing is
 * sorted but the few that a cut falls among: with a vocabulary of 150,000 and a flat distribution a full sort would take
 * longer than the model.
 */
export class Candidates {
  #ids = new Uint32Array(1024);
  /** How far below the largest logit, in nats; >= 0. */
  #depths = new Float64Array(1024);
  #weights = new Float64Array(1024);
  readonly #counts = new Uint32Array(buckets);
  readonly #masses = new Float64Array(buckets);
  #count = 0;

  /** How many there are. */
  get count(): number {
    return this.#count;
  }

  /** Takes all tokens at most `nats` below `max`, the largest logit. O(vocabulary). */
  collect(logits: Float32Array, max: number, nats: number): void {
    const cut = max - nats;
    const length = logits.length;
    let count = 0;
    for (let from = 0; from < length; from += 8) {
      // Most runs of eight hold none: one chain of comparisons passes them. A logit behind the end compares false.
      const some = logits[from] >= cut || logits[from + 1] >= cut || logits[from + 2] >= cut ||
        logits[from + 3] >= cut || logits[from + 4] >= cut || logits[from + 5] >= cut ||
        logits[from + 6] >= cut || logits[from + 7] >= cut;
      if (!some) continue;
      if (count + 8 > this.#ids.length) this.#grow();
      const end = Math.min(from + 8, length);
      for (let id = from; id < end; id++) {
        if (!(logits[id] >= cut)) continue;
        this.#ids[count] = id;
        this.#depths[count] = max - logits[id];
        count += 1;
      }
    }
    this.#count = count;
  }

  /** Keeps the `most` best; the lower id of equal ones. */
  keepBest(most: number): void {
    if (this.#count <= most) return;
    const scale = this.#bucketScale();
    this.#counts.fill(0);
    for (let i = 0; i < this.#count; i++) this.#counts[(this.#depths[i] * scale) | 0] += 1;
    let bucket = 0;
    let before = 0;
    while (before + this.#counts[bucket] < most) before += this.#counts[bucket++];
    const border = this.#sorted(bucket, scale);
    this.#keep(bucket, scale, border.slice(0, most - before));
  }

  /**
   * Keeps the fewest best ones that hold `share` of `total`, at least one, and says true; or changes nothing and says
   * false where all of them hold less. Masses are those of temperature 1.
   */
  keepNucleus(share: number, total: number): boolean {
    const wanted = share * total;
    const scale = this.#bucketScale();
    this.#masses.fill(0);
    let sum = 0;
    for (let i = 0; i < this.#count; i++) {
      const weight = expOfMinus(this.#depths[i]);
      sum += weight;
      this.#masses[(this.#depths[i] * scale) | 0] += weight;
    }
    if (sum < wanted) return false;
    let bucket = 0;
    let reached = 0;
    while (bucket < buckets - 1 && reached + this.#masses[bucket] < wanted) {
      reached += this.#masses[bucket++];
    }
    const border = this.#sorted(bucket, scale);
    let kept = 0;
    while (kept < border.length && (reached < wanted || (bucket === 0 && kept === 0))) {
      reached += expOfMinus(this.#depths[border[kept++]]);
    }
    this.#keep(bucket, scale, border.slice(0, kept));
    return true;
  }

  /** Sum of e^-depth. */
  mass(): number {
    let sum = 0;
    for (let i = 0; i < this.#count; i++) sum += expOfMinus(this.#depths[i]);
    return sum;
  }

  /** Keeps those at most `nats` below the best. */
  keepWithin(nats: number): void {
    let kept = 0;
    for (let i = 0; i < this.#count; i++) if (this.#depths[i] <= nats) this.#move(i, kept++);
    this.#count = kept;
  }

  /** The token at `u` in [0, 1) of the distribution at this temperature, tokens laid out by ascending id. */
  draw(u: number, temperature: number): number {
    const sharpness = 1 / temperature;
    let sum = 0;
    for (let i = 0; i < this.#count; i++) {
      sum += expOfMinus(this.#depths[i] * sharpness);
      this.#weights[i] = sum;
    }
    const wanted = u * sum;
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (wanted < this.#weights[middle]) high = middle;
      else low = middle + 1;
    }
    return this.#ids[low];
  }

  #bucketScale(): number {
    let deepest = 0;
    for (let i = 0; i < this.#count; i++) {
      if (this.#depths[i] > deepest) deepest = this.#depths[i];
    }
    // Just below the number of buckets, so that the deepest falls into the last one.
    return deepest === 0 ? 0 : (buckets - 0.001) / deepest;
  }

  /** Places of a bucket's members, best first. */
  #sorted(bucket: number, scale: number): number[] {
    const places: number[] = [];
    for (let i = 0; i < this.#count; i++) {
      if (((this.#depths[i] * scale) | 0) === bucket) places.push(i);
    }
    return places.sort((a, b) => this.#depths[a] - this.#depths[b] || a - b);
  }

  /** Keeps all above a bucket, and of the bucket those at `places`. */
  #keep(bucket: number, scale: number, places: readonly number[]): void {
    const chosen = new Set(places);
    let kept = 0;
    for (let i = 0; i < this.#count; i++) {
      const own = (this.#depths[i] * scale) | 0;
      if (own < bucket || (own === bucket && chosen.has(i))) this.#move(i, kept++);
    }
    this.#count = kept;
  }

  #move(from: number, to: number): void {
    this.#ids[to] = this.#ids[from];
    this.#depths[to] = this.#depths[from];
  }

  #grow(): void {
    const size = this.#ids.length * 4;
    const ids = new Uint32Array(size);
    ids.set(this.#ids);
    this.#ids = ids;
    const depths = new Float64Array(size);
    depths.set(this.#depths);
    this.#depths = depths;
    this.#weights = new Float64Array(size);
  }
}
