import type { Slab } from "./slab.ts";

/** Per segment of a slab: how many of its slots nobody holds, and when one was last used. O(1) but where said. */
export class SegmentUse {
  readonly #slab: Slab;
  readonly #listed: Uint32Array;
  readonly #usedAt: Float64Array;

  constructor(slab: Slab) {
    this.#slab = slab;
    this.#listed = new Uint32Array(slab.segments);
    this.#usedAt = new Float64Array(slab.segments);
  }

  /** A slot at this page is held by nobody since `now`. */
  add(page: number, now: number): void {
    const segment = this.#slab.segmentAt(page);
    this.#listed[segment] += 1;
    this.#usedAt[segment] = now;
  }

  /** A slot at this page is held again, or free. */
  remove(page: number): void {
    this.#listed[this.#slab.segmentAt(page)] -= 1;
  }

  /** The segment of another size that was used longest ago, before `bestUse`, and could go as a whole. O(segments). */
  spare(size: number, bestUse: number): number | undefined {
    let best: number | undefined;
    for (let at = 0, use = bestUse; at < this.#slab.segments; at++) {
      const segment = this.#slab.segment(at);
      if (segment === undefined || segment.size === size) continue;
      if (this.#listed[at] !== segment.used || this.#usedAt[at] >= use) continue;
      best = at;
      use = this.#usedAt[at];
    }
    return best;
  }

  /** Throws where the counts are not those of these pages. O(segments + pages). */
  checkIntegrity(pages: Iterable<number>): void {
    const counted = new Uint32Array(this.#listed.length);
    for (const page of pages) counted[this.#slab.segmentAt(page)] += 1;
    if (counted.some((count, at) => count !== this.#listed[at])) {
      throw new Error("a segment's unused slots are counted wrong");
    }
  }
}
