import { BlockPool } from "../block_pool.ts";
import { committedSlots } from "../committed_slots.ts";
import type { PoolLayout } from "../pool_client.ts";
import { slotStates } from "../slot_table.ts";
import type { DiskEntry, IndexRecord } from "./index_record.ts";

/** A block to be stored: its key and what it follows (0, 0 where it is the first). */
export interface BlockToStore {
  readonly hi: number;
  readonly lo: number;
  readonly parentHi: number;
  readonly parentLo: number;
  readonly index: number;
}

/** A place on disk. */
export interface DiskPlace {
  readonly slot: number;
  readonly page: number;
}

/**
 * The disk tier's books: a pool like the host's whose pages lie in files, and what its index has to be told. The order is
 * the caller's to keep: the records of `place` are in the index before the blocks are written over what lay there, those
 * of `store` after the blocks are. Pure.
 */
export class DiskBooks {
  readonly pool: BlockPool;
  readonly segmentPages: number;
  readonly #clients = new Map<number, number>();
  /** Per segment: pages that the index says begin a block, and the length of those. */
  readonly #told = new Map<number, { slotPages: number; readonly pages: Set<number> }>();
  #lease = 0;

  constructor(options: { readonly segments: number; readonly segmentPages: number }) {
    this.pool = new BlockPool(options);
    this.segmentPages = options.segmentPages;
  }

  /** Blocks that are there. */
  get count(): number {
    return this.pool.keys.count;
  }

  /** Takes over what an index said, in its order; of a key that is there twice the later. Answers how many blocks fit. */
  restore(entries: readonly DiskEntry[]): number {
    let kept = 0;
    for (const entry of entries) {
      const { layoutHi: hi, layoutLo: lo, blockSize, slotPages } = entry;
      const layout = this.pool.layout({ hi, lo, blockSize, slotPages });
      if (layout === undefined) continue;
      const older = this.pool.keys.find(layout, entry.hi, entry.lo);
      if (older !== 0) this.pool.drop([older]);
      if (!this.pool.adopt(layout, entry)) continue;
      this.#tell(entry.page, slotPages);
      kept += 1;
    }
    // Who hears of a layout first is told all of it.
    this.pool.layouts.forEach((_, layout) => void this.pool.takeEvents(layout));
    return kept;
  }

  /** Index of a layout; `undefined` where its blocks do not fit a segment. */
  layout({ hi, lo, blockSize, slotPages }: Omit<PoolLayout, "size">): number | undefined {
    return this.pool.layout({ hi, lo, blockSize, slotPages });
  }

  /** True where a block is there. */
  has(layout: number, hi: number, lo: number): boolean {
    return this.pool.keys.find(layout, hi, lo) !== 0;
  }

  /** Places for up to `count` blocks, fewer where the rest is being read or written, and what to tell the index first. */
  place(layout: number, count: number): { places: DiskPlace[]; records: IndexRecord[] } {
    const { slotPages } = this.pool.layouts[layout];
    const rows = this.pool.reserve(this.#clientOf(layout), count);
    const places: DiskPlace[] = [];
    const records: IndexRecord[] = [];
    for (let i = 0; i < rows.length; i += 2) {
      places.push({ slot: rows[i], page: rows[i + 1] });
      records.push(...this.#overwritten(rows[i + 1], slotPages));
    }
    return { places, records };
  }

  /** These places hold these blocks now. Answers what to tell the index; blocks that came twice are not told. */
  store(
    layout: number,
    blocks: readonly (DiskPlace & { readonly block: BlockToStore })[],
  ): IndexRecord[] {
    const words = blocks.flatMap(({ slot, block }) => [
      ...[slot, block.lo, block.hi, block.parentLo, block.parentHi, block.index],
    ]);
    const rows = this.pool.commit(this.#clientOf(layout), Uint32Array.from(words));
    const { hi: layoutHi, lo: layoutLo, blockSize, slotPages } = this.pool.layouts[layout];
    return blocks.flatMap(({ slot, page, block }, i): IndexRecord[] => {
      if (rows[2 * i] !== slot || rows[2 * i + 1] === 1) return [];
      this.#tell(page, slotPages);
      return [{ op: "put", entry: { page, slotPages, blockSize, layoutHi, layoutLo, ...block } }];
    });
  }

  /** These places stay empty. */
  giveUp(layout: number, places: readonly DiskPlace[]): void {
    this.pool.giveUp(this.#clientOf(layout), places.map(({ slot }) => slot));
  }

  /** Pins blocks to read them: per route its slot (0 = not there) and page; and the lease to release. */
  open(
    layout: number,
    routes: Uint32Array,
  ): { readonly lease: number; readonly rows: Uint32Array } {
    const lease = ++this.#lease;
    return { lease, rows: this.pool.find(this.#clientOf(layout), lease, routes) };
  }

  /** Blocks were read. */
  close(layout: number, lease: number): void {
    this.pool.release(this.#clientOf(layout), [lease]);
  }

  /** Takes blocks out, whoever reads them. Answers what to tell the index. */
  drop(slots: readonly number[]): IndexRecord[] {
    const { table } = this.pool;
    const pages = slots.filter((slot) => table.state[slot] === slotStates.committed)
      .map((slot) => table.page[slot]);
    this.pool.drop(slots);
    return pages.map((page) => {
      this.#forget(page);
      return { op: "drop", page };
    });
  }

  /** Slots of all blocks, of one layout or of all. O(slots). */
  slots(layout?: number): number[] {
    return committedSlots(this.pool, layout);
  }

  /** Everything that is there as records, for an index that begins anew; least recently used first. O(blocks). */
  records(): IndexRecord[] {
    const { table, layouts } = this.pool;
    const slots = this.slots().sort((a, b) => table.usedAt[a] - table.usedAt[b]);
    this.#told.clear();
    return slots.map((slot) => {
      const { hi: layoutHi, lo: layoutLo, blockSize, slotPages } = layouts[table.layout[slot]];
      const page = table.page[slot];
      this.#tell(page, slotPages);
      const entry: DiskEntry = {
        ...{ page, slotPages, blockSize, layoutHi, layoutLo },
        ...{ hi: table.hi[slot], lo: table.lo[slot], index: table.index[slot] },
        ...{ parentHi: table.parentHi[slot], parentLo: table.parentLo[slot] },
      };
      return { op: "put", entry };
    });
  }

  /** Throws where the books do not add up. O(everything). */
  checkIntegrity(): void {
    this.pool.checkIntegrity();
    const { table } = this.pool;
    for (const slot of this.slots()) {
      const told = this.#told.get(this.#segmentOf(table.page[slot]));
      if (!told?.pages.has(table.page[slot])) throw new Error(`slot ${slot} is not in the index`);
    }
  }

  #clientOf(layout: number): number {
    let client = this.#clients.get(layout);
    if (client === undefined) this.#clients.set(layout, client = this.pool.join(layout));
    return client;
  }

  #segmentOf(page: number): number {
    return Math.floor(page / this.segmentPages);
  }

  #tell(page: number, slotPages: number): void {
    const told = this.#told.get(this.#segmentOf(page));
    if (told === undefined) {
      this.#told.set(this.#segmentOf(page), { slotPages, pages: new Set([page]) });
    } else told.pages.add(page);
  }

  #forget(page: number): void {
    this.#told.get(this.#segmentOf(page))?.pages.delete(page);
  }

  /** What the index still says of a place that will be written over: of its segment where that changes hands. */
  #overwritten(page: number, slotPages: number): IndexRecord[] {
    const told = this.#told.get(this.#segmentOf(page));
    if (told === undefined) return [];
    const isOther = told.slotPages !== slotPages;
    const gone = isOther ? [...told.pages] : [page].filter((one) => told.pages.has(one));
    for (const one of gone) told.pages.delete(one);
    told.slotPages = slotPages;
    return gone.map((one) => ({ op: "drop", page: one }));
  }
}
