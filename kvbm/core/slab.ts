/** Where a slot lies. */
export interface SlotPlace {
  /** Offset in pages. */
  readonly page: number;
  readonly segment: number;
}

/** One size of slots. */
export interface SizeClass {
  readonly slotPages: number;
  readonly perSegment: number;
  /** Its segments with room for another slot. */
  readonly open: Set<number>;
}

interface Segment {
  /** Index of the size class; `undefined` while empty. */
  size: number | undefined;
  used: number;
  /** Places freed again, and how many were ever given. */
  readonly free: number[];
  given: number;
}

/**
 * A pool cut into segments of one length, each given to one size of slots when it is needed and taken back when it is
 * empty: blocks of several models share a pool without wearing it out. Places only; what lies there is others' business.
 * Every operation is O(1).
 */
export class Slab {
  readonly segmentPages: number;
  readonly #segments: Segment[];
  readonly #empty: number[] = [];
  readonly #sizes: SizeClass[] = [];
  #usedPages = 0;

  constructor(options: { readonly segments: number; readonly segmentPages: number }) {
    this.segmentPages = options.segmentPages;
    this.#segments = Array.from({ length: options.segments }, () => ({
      size: undefined,
      used: 0,
      free: [],
      given: 0,
    }));
    for (let at = options.segments - 1; at >= 0; at--) this.#empty.push(at);
  }

  /** Segments in all. */
  get segments(): number {
    return this.#segments.length;
  }

  /** Segments that no size has. */
  get emptySegments(): number {
    return this.#empty.length;
  }

  /** Pages of slots given out. */
  get usedPages(): number {
    return this.#usedPages;
  }

  /** The sizes in use, by index. */
  get sizes(): readonly SizeClass[] {
    return this.#sizes;
  }

  /** Index of a size; `undefined` where a slot is longer than a segment. */
  sizeOf(slotPages: number): number | undefined {
    if (slotPages > this.segmentPages) return undefined;
    const known = this.#sizes.findIndex((size) => size.slotPages === slotPages);
    if (known >= 0) return known;
    const perSegment = Math.floor(this.segmentPages / slotPages);
    return this.#sizes.push({ slotPages, perSegment, open: new Set() }) - 1;
  }

  /** A place for a slot of this size; `undefined` where all its segments are full and none is empty. */
  take(size: number): SlotPlace | undefined {
    const { open, perSegment, slotPages } = this.#sizes[size];
    let [at] = open;
    if (at === undefined) {
      const fresh = this.#empty.pop();
      if (fresh === undefined) return undefined;
      at = fresh;
      this.#segments[at].size = size;
      open.add(at);
    }
    const segment = this.#segments[at];
    const place = segment.free.pop() ?? segment.given++;
    if (++segment.used === perSegment) open.delete(at);
    this.#usedPages += slotPages;
    return { page: at * this.segmentPages + place * slotPages, segment: at };
  }

  /**
   * Takes the place that begins at a page; false where that is none of this size's, is taken, or lies in another size's
   * segment. O(places of a segment that are free).
   */
  takeAt(size: number, page: number): boolean {
    const { open, perSegment, slotPages } = this.#sizes[size];
    const at = this.segmentAt(page);
    const segment = this.#segments[at];
    const place = (page - at * this.segmentPages) / slotPages;
    if (segment === undefined || !Number.isInteger(place) || place >= perSegment) return false;
    if (segment.size !== undefined && segment.size !== size) return false;
    const free = segment.free.indexOf(place);
    if (place < segment.given && free < 0) return false;
    if (segment.size === undefined) this.#empty.splice(this.#empty.indexOf(at), 1);
    segment.size = size;
    if (free >= 0) segment.free.splice(free, 1);
    // Places that are passed over are free; the lowest is given first.
    for (let between = place - 1; between >= segment.given; between--) segment.free.push(between);
    segment.given = Math.max(segment.given, place + 1);
    if (++segment.used === perSegment) open.delete(at);
    else open.add(at);
    this.#usedPages += slotPages;
    return true;
  }

  /** Gives a place back. */
  give(page: number): void {
    const at = this.segmentAt(page);
    const segment = this.#segments[at];
    const { slotPages, open } = this.#sizes[segment.size!];
    segment.free.push((page - at * this.segmentPages) / slotPages);
    this.#usedPages -= slotPages;
    if (--segment.used > 0) {
      open.add(at);
      return;
    }
    open.delete(at);
    segment.size = undefined;
    segment.free.length = 0;
    segment.given = 0;
    this.#empty.push(at);
  }

  /** The segment of a page. */
  segmentAt(page: number): number {
    return Math.floor(page / this.segmentPages);
  }

  /** Size of a segment's slots and how many are used; `undefined` while it is empty. */
  segment(at: number): { readonly size: number; readonly used: number } | undefined {
    const { size, used } = this.#segments[at];
    return size === undefined ? undefined : { size, used };
  }

  /** Throws where the books differ from the pages of the slots that are out. O(everything). */
  checkIntegrity(pages: readonly { readonly page: number; readonly size: number }[]): void {
    const used = new Array<number>(this.#segments.length).fill(0);
    const taken = new Set<number>();
    for (const { page, size } of pages) {
      const at = this.segmentAt(page);
      const { slotPages } = this.#sizes[size];
      const inside = page - at * this.segmentPages;
      if (this.#segments[at].size !== size) throw new Error(`segment ${at} is of another size`);
      if (inside % slotPages !== 0 || inside + slotPages > this.segmentPages) {
        throw new Error(`page ${page} begins no slot`);
      }
      if (taken.has(page)) throw new Error(`page ${page} is given twice`);
      taken.add(page);
      used[at] += 1;
    }
    let pagesUsed = 0;
    this.#segments.forEach(({ size, used: counted }, at) => {
      if (counted !== used[at]) throw new Error(`segment ${at}: ${counted} counted, ${used[at]}`);
      if (size === undefined) {
        if (counted > 0 || !this.#empty.includes(at)) throw new Error(`segment ${at} is lost`);
        return;
      }
      const { open, perSegment, slotPages } = this.#sizes[size];
      pagesUsed += counted * slotPages;
      if (open.has(at) !== counted < perSegment) throw new Error(`segment ${at} is listed wrong`);
    });
    if (pagesUsed !== this.#usedPages) throw new Error(`${this.#usedPages} pages counted`);
  }
}
