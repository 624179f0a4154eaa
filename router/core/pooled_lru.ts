import type { HashList } from "@pixii/wire";

/** Blocks that are followed at most; a larger cache is followed by a sample of its blocks. */
const mostSampled = 2_048;
/** Slots of the hash table: a power of two, at most half full. */
const slots = 4 * mostSampled;
/** Sampling goes by the upper bits of a scattered hash, in steps of this size. */
const sampleSteps = 2 ** 24;
/** No place. */
const nowhere = -1;

/** What one prompt came to. */
export interface PooledAccess {
  /** Blocks that were sampled, and those of them that were not in the cache. */
  readonly sampled: number;
  readonly missed: number;
}

/**
 * An LRU cache of RouteHashes that one pool of all workers' blocks would be, by spatial sampling (SHARDS: Waldspurger et
 * al., FAST 2015): blocks whose scattered hash lies under a threshold are followed, in a cache smaller by the same rate.
 * Hits are counted by what is missed, `1 - misses / rate / blocks`: the few blocks that everybody asks for are never
 * missed, so that it does not matter whether they are sampled (what SHARDS_adj corrects). Blocks of a prompt are used from
 * the last to the first, so that a block never stays behind those before it, and each hit is a hit of the whole prefix.
 * Typed arrays of about 70 kB; O(1) per sampled block.
 */
export class PooledLru {
  readonly #hi = new Uint32Array(mostSampled);
  readonly #lo = new Uint32Array(mostSampled);
  readonly #older = new Int32Array(mostSampled);
  readonly #newer = new Int32Array(mostSampled);
  /** Place + 1 of the block that a slot holds; 0 is empty. Linear probing, with removal by shifting back. */
  readonly #table = new Uint32Array(slots);
  #capacity = 0;
  #threshold = sampleSteps;
  #size = 0;
  #newest = nowhere;
  #oldest = nowhere;
  #free = 0;

  /** Part of all blocks that is followed, in (0, 1]. */
  get rate(): number {
    return this.#threshold / sampleSteps;
  }

  /** Sampled blocks held. */
  get size(): number {
    return this.#size;
  }

  /**
   * The cache has room for `blocks` from now on. A larger pool lowers the rate, and what is not sampled any more goes; it
   * does not rise again, for blocks that were not followed are not known. O(1) where nothing changed.
   */
  resize(blocks: number): void {
    if (blocks === this.#capacity) return;
    this.#capacity = blocks;
    const threshold = Math.max(1, Math.floor(sampleSteps * Math.min(1, mostSampled / blocks)));
    if (threshold < this.#threshold) {
      this.#threshold = threshold;
      this.#keepSampled();
    }
    while (this.#size > this.#room()) this.#evict();
  }

  /** A prompt uses its blocks: what of them was there, then all are. */
  use(list: HashList): PooledAccess {
    const { hi, lo } = list;
    const room = this.#room();
    let sampled = 0;
    let missed = 0;
    for (let i = lo.length - 1; i >= 0; i--) {
      const scattered = scatter(hi[i], lo[i]);
      if (scattered >>> 8 >= this.#threshold) continue;
      sampled += 1;
      const place = this.#find(hi[i], lo[i], scattered);
      if (place !== nowhere) {
        this.#unlink(place);
        this.#link(place);
        continue;
      }
      missed += 1;
      if (room === 0) continue;
      if (this.#size >= room) this.#evict();
      this.#insert(hi[i], lo[i], scattered);
    }
    return { sampled, missed };
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    let count = 0;
    let newer = nowhere;
    for (let place = this.#newest; place !== nowhere; place = this.#older[place]) {
      if (this.#newer[place] !== newer) throw new Error("a pooled block is linked wrong");
      const [hi, lo] = [this.#hi[place], this.#lo[place]];
      if (this.#find(hi, lo, scatter(hi, lo)) !== place) throw new Error("a pooled block is lost");
      newer = place;
      if (++count > this.#size) break;
    }
    const held = this.#table.reduce((sum, one) => sum + (one === 0 ? 0 : 1), 0);
    if (count !== this.#size || held !== this.#size || newer !== this.#oldest) {
      throw new Error(`${this.#size} pooled blocks, ${count} in line, ${held} in the table`);
    }
    if (this.#size > this.#room()) throw new Error("more pooled blocks than there is room for");
  }

  /** Sampled blocks that there is room for. */
  #room(): number {
    return Math.min(mostSampled, Math.round(this.#capacity * this.rate));
  }

  #find(hi: number, lo: number, scattered: number): number {
    for (let slot = scattered & (slots - 1);; slot = (slot + 1) & (slots - 1)) {
      const place = this.#table[slot] - 1;
      if (place < 0) return nowhere;
      if (this.#lo[place] === lo && this.#hi[place] === hi) return place;
    }
  }

  #insert(hi: number, lo: number, scattered: number): void {
    // Places are given in a row until all were used; then an evicted one is free.
    const place = this.#free !== 0 ? this.#free - 1 : this.#size;
    if (this.#free !== 0) this.#free = this.#older[place] + 1;
    this.#hi[place] = hi;
    this.#lo[place] = lo;
    let slot = scattered & (slots - 1);
    while (this.#table[slot] !== 0) slot = (slot + 1) & (slots - 1);
    this.#table[slot] = place + 1;
    this.#size += 1;
    this.#link(place);
  }

  #evict(): void {
    this.#remove(this.#oldest);
  }

  #remove(place: number): void {
    this.#unlink(place);
    let hole = this.#slotOf(place);
    for (let slot = (hole + 1) & (slots - 1);; slot = (slot + 1) & (slots - 1)) {
      const other = this.#table[slot] - 1;
      if (other < 0) break;
      const home = scatter(this.#hi[other], this.#lo[other]) & (slots - 1);
      const isBehindHole = ((slot - home) & (slots - 1)) >= ((slot - hole) & (slots - 1));
      if (!isBehindHole) continue;
      this.#table[hole] = other + 1;
      hole = slot;
    }
    this.#table[hole] = 0;
    this.#size -= 1;
    // Free places are a list through `#older`.
    this.#older[place] = this.#free - 1;
    this.#free = place + 1;
  }

  #slotOf(place: number): number {
    let slot = scatter(this.#hi[place], this.#lo[place]) & (slots - 1);
    while (this.#table[slot] !== place + 1) slot = (slot + 1) & (slots - 1);
    return slot;
  }

  #keepSampled(): void {
    for (let place = this.#oldest; place !== nowhere;) {
      const next = this.#newer[place];
      const scattered = scatter(this.#hi[place], this.#lo[place]);
      if (scattered >>> 8 >= this.#threshold) this.#remove(place);
      place = next;
    }
  }

  #link(place: number): void {
    this.#older[place] = this.#newest;
    this.#newer[place] = nowhere;
    if (this.#newest !== nowhere) this.#newer[this.#newest] = place;
    else this.#oldest = place;
    this.#newest = place;
  }

  #unlink(place: number): void {
    const [older, newer] = [this.#older[place], this.#newer[place]];
    if (older !== nowhere) this.#newer[older] = newer;
    else this.#oldest = newer;
    if (newer !== nowhere) this.#older[newer] = older;
    else this.#newest = older;
  }
}

/** RouteHashes are even already; test hashes and a hostile client's are not. The last step of MurmurHash3 (public domain). */
function scatter(hi: number, lo: number): number {
  let x = (lo ^ Math.imul(hi, 0x9e37_79b1)) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85eb_ca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2_ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
