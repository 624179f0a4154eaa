import { hexOfU64, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { formatBytes } from "@pixii/runtime";
import type { Clock, Log } from "@pixii/runtime";
import type { BlockSource, FetchOrder } from "../core/block_source.ts";
import type { BlockToStore, DiskBooks, DiskPlace } from "../core/disk/disk_books.ts";
import type { PoolLayout } from "../core/pool_client.ts";
import { pageBytes } from "../pool_file.ts";
import { diskRuns } from "./disk_runs.ts";
import type { DiskRun } from "./disk_runs.ts";
import type { DiskPlan } from "./disk_place.ts";
import { DiskStore, isBlock } from "./disk_store.ts";
import { TransferMeter } from "./transfer_meter.ts";

/** So many failures in a row, and the tier is off until the next start. */
const mostFailures = 8;

/** A block to be written: its bytes in the host pool, and whether they still are its own when that is done. */
export interface BlockToWrite {
  readonly block: BlockToStore;
  readonly view: Uint8Array<ArrayBuffer>;
  readonly isStill: () => boolean;
}

/** What became of blocks that were to be written. */
export interface WriteOutcome {
  readonly stored: number;
  /** Those for which there was no place: all others are being read or written. They may be tried again. */
  readonly left: readonly BlockToWrite[];
}

/** What the tier is opened with. */
export interface DiskTierParts {
  readonly clock: Clock;
  readonly log: Log;
  /** Blocks of this layout of the disk's books may have changed. */
  readonly onChange: (layout: number) => void;
}

/** What the tier has done since it was opened. */
export interface DiskCounts {
  /** Blocks that were read and whole. */
  hits: number;
  stored: number;
  /** Blocks that were not what they had to be, or damaged: dropped. */
  damaged: number;
  /** Reads and writes that the system refused. */
  readErrors: number;
  writeErrors: number;
}

/**
 * Blocks on disk below the host pool. What is read is compared with its key and its checksums before anybody gets it; a
 * disk that fails takes the tier away and nothing else.
 */
export class DiskTier implements BlockSource, AsyncDisposable {
  readonly tier = "disk";
  readonly store: DiskStore;
  readonly reads: TransferMeter;
  readonly writes: TransferMeter;
  readonly counts: DiskCounts = {
    ...{ hits: 0, stored: 0, damaged: 0, readErrors: 0, writeErrors: 0 },
  };
  readonly #parts: DiskTierParts;
  readonly #underWay = new Set<Promise<void>>();
  readonly #refused = new Set<string>();
  /** Pages that were written since the last sync. */
  readonly #dirty = new Set<number>();
  #failures = 0;
  #isOff = false;

  private constructor(store: DiskStore, parts: DiskTierParts) {
    this.store = store;
    this.#parts = parts;
    this.reads = new TransferMeter(parts.clock);
    this.writes = new TransferMeter(parts.clock);
  }

  /** Opens the folder; says what it is where that is less than was wished, or why it cannot be had. */
  static async open(plan: DiskPlan, parts: DiskTierParts): Promise<Result<DiskTier>> {
    const { log } = parts;
    const opened = await DiskStore.open(plan, parts);
    if (!opened.ok) return opened;
    const { bytes, folder, files } = opened.value;
    if (bytes < plan.bytes * 0.9) {
      log.warn(
        `the disk tier is ${formatBytes(bytes)} instead of ${formatBytes(plan.bytes)}: ` +
          `there is no more room in ${folder}`,
      );
    }
    if (!files.isDirect) {
      log.info("no direct I/O here: the disk tier goes through the page cache", { folder });
    }
    return ok(new DiskTier(opened.value, parts));
  }

  /** Its books. */
  get books(): DiskBooks {
    return this.store.books;
  }

  /** True once the disk has failed too often. */
  get isOff(): boolean {
    return this.#isOff;
  }

  /** Index in the disk's books of a layout of the host's; `undefined`, said once, where its blocks are too long for it. */
  layoutOf(kind: PoolLayout): number | undefined {
    const layout = this.books.layout(kind);
    const name = hexOfU64(kind.hi, kind.lo);
    if (layout === undefined && !this.#refused.has(name)) {
      this.#refused.add(name);
      this.#parts.log.warn(
        "blocks of this layout do not go to disk: longer than a segment; make --kv-disk larger",
        { layout: name, blockBytes: kind.slotPages * pageBytes },
      );
    }
    return layout;
  }

  holds(kind: PoolLayout, routes: Uint32Array): Uint8Array {
    const held = new Uint8Array(routes.length / 2);
    const layout = this.#isOff ? undefined : this.layoutOf(kind);
    if (layout === undefined) return held;
    for (let i = 0; i < held.length; i++) {
      if (this.books.has(layout, routes[2 * i + 1], routes[2 * i])) held[i] = 1;
    }
    return held;
  }

  fetch({ layout: kind, blocks, done }: FetchOrder): void {
    const layout = this.#isOff ? undefined : this.layoutOf(kind);
    if (layout === undefined) return blocks.forEach((_, at) => done(at, "lost"));
    const routes = Uint32Array.from(blocks.flatMap(({ hi, lo }) => [lo, hi]));
    const { lease, rows } = this.books.open(layout, routes);
    const there = blocks.map((_, at) => at).filter((at) => rows[2 * at] !== 0);
    const pages = there.map((at) => rows[2 * at + 1]);
    const reading = this.#runs(kind, pages).map(async ({ page, members }) => {
      const ats = members.map((member) => there[member]);
      const isRead = await this.#read(page, ats.map((at) => blocks[at].view));
      for (const at of ats) {
        const isGood = isRead && this.#isGood(layout, { ...blocks[at], slot: rows[2 * at] });
        done(at, isGood ? "landed" : "lost");
      }
    });
    this.#watch(Promise.all(reading).then(() => this.books.close(layout, lease)));
    blocks.forEach((_, at) => {
      if (rows[2 * at] === 0) done(at, "lost");
    });
  }

  /** Writes blocks of a layout of the host's; those that are there already are passed over. */
  write(kind: PoolLayout, blocks: readonly BlockToWrite[]): Promise<WriteOutcome> {
    const written = this.#write(kind, blocks);
    this.#watch(written.then(() => {}));
    return written;
  }

  /** Takes blocks out: those of one layout of the disk's books, or all. Answers how many those were. */
  async drop(layout?: number): Promise<number> {
    const slots = this.books.slots(layout);
    await this.#dropSlots(slots);
    return slots.length;
  }

  /** Reads one block into `view`; "gone" where it has left meanwhile. A block that is damaged is dropped and counted. */
  async check(
    { layout, hi, lo }: { readonly layout: number; readonly hi: number; readonly lo: number },
    view: Uint8Array<ArrayBuffer>,
  ): Promise<"good" | "damaged" | "unreadable" | "gone"> {
    const { lease, rows: [slot, page] } = this.books.open(layout, Uint32Array.of(lo, hi));
    if (slot === 0) return "gone";
    const checking = (async () => {
      const isRead = await this.#read(page, [view]);
      const isGood = isRead && this.#isGood(layout, { hi, lo, view, slot });
      this.books.close(layout, lease);
      if (!isRead) return "unreadable";
      return isGood ? "good" : "damaged";
    })();
    this.#watch(checking.then(() => {}));
    return await checking;
  }

  /** What was written until now outlives the machine's end. */
  async sync(): Promise<void> {
    if (this.#dirty.size === 0) return;
    const pages = [...this.#dirty];
    this.#dirty.clear();
    const syncing = this.store.files.sync(pages).then(() => this.store.index.sync());
    this.#watch(syncing.then(() => {}));
    await syncing;
  }

  /** Waits for what is on the way, which nothing can stop, and closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOff = true;
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    await this.store.index.append([]);
    this.store[Symbol.dispose]();
  }

  async #write(kind: PoolLayout, blocks: readonly BlockToWrite[]): Promise<WriteOutcome> {
    const { books, store: { index } } = this;
    const layout = this.#isOff ? undefined : this.layoutOf(kind);
    if (layout === undefined) return { stored: 0, left: [] };
    const wanted = blocks.filter(({ block }) => !books.has(layout, block.hi, block.lo));
    const { places, records } = books.place(layout, wanted.length);
    this.#parts.onChange(layout);
    const left = wanted.slice(places.length);
    if (places.length === 0) return { stored: 0, left };
    if (!await index.append(records)) {
      books.giveUp(layout, places);
      this.#failed("writeErrors");
      return { stored: 0, left };
    }
    const isWritten = places.map(() => false);
    const writing = this.#runs(kind, places.map(({ page }) => page)).map(async (run) => {
      if (!await this.#writeRun(run, wanted)) return;
      for (const member of run.members) isWritten[member] = wanted[member].isStill();
    });
    await Promise.all(writing);
    const isStored = (_: DiskPlace, at: number) => isWritten[at] && !this.#isOff;
    books.giveUp(layout, places.filter((place, at) => !isStored(place, at)));
    const stored = places.map((place, at) => ({ ...place, block: wanted[at].block }))
      .filter(isStored);
    const said = books.store(layout, stored);
    if (!await index.append(said)) this.#failed("writeErrors");
    if (index.isStale(books.count)) await index.rewrite(books.records());
    this.counts.stored += said.length;
    this.#parts.onChange(layout);
    return { stored: said.length, left };
  }

  async #writeRun({ page, members }: DiskRun, blocks: readonly BlockToWrite[]): Promise<boolean> {
    const views = members.map((member) => blocks[member].view);
    const end = this.writes.begin();
    const isWritten = await this.store.files.write(page, views);
    end(isWritten ? bytesOf(views) : 0);
    if (isWritten) {
      this.#failures = 0;
      this.#dirty.add(page);
    } else this.#failed("writeErrors");
    return isWritten;
  }

  async #read(page: number, views: readonly Uint8Array<ArrayBuffer>[]): Promise<boolean> {
    const end = this.reads.begin();
    const isRead = await this.store.files.read(page, views);
    end(isRead ? bytesOf(views) : 0);
    if (isRead) this.#failures = 0;
    else this.#failed("readErrors");
    return isRead;
  }

  #isGood(
    layout: number,
    { hi, lo, view, slot }: { hi: number; lo: number; view: Uint8Array; slot: number },
  ): boolean {
    if (isBlock(view, { hi, lo, layout: this.books.pool.layouts[layout] })) {
      this.counts.hits += 1;
      return true;
    }
    this.counts.damaged += 1;
    this.#parts.log.warn("a block on disk is damaged: it is dropped and computed again", {
      route: hexOfU64(hi, lo),
    });
    this.#watch(this.#dropSlots([slot]));
    return false;
  }

  async #dropSlots(slots: readonly number[]): Promise<void> {
    const layouts = new Set(slots.map((slot) => this.books.pool.table.layout[slot]));
    const records = this.books.drop(slots);
    for (const layout of layouts) this.#parts.onChange(layout);
    await this.store.index.append(records);
  }

  #failed(what: "readErrors" | "writeErrors"): void {
    this.counts[what] += 1;
    this.#failures += 1;
    if (this.#failures < mostFailures || this.#isOff) return;
    this.#isOff = true;
    this.#parts.log.error("the disk tier is off until the next start: the disk fails", {
      ...{ folder: this.store.folder, failures: this.#failures },
    });
    // Its blocks are still there for the next start; until then nobody is told of them.
    const { books } = this;
    books.pool.drop(books.slots());
    books.pool.layouts.forEach((_, layout) => this.#parts.onChange(layout));
  }

  #runs({ slotPages }: PoolLayout, pages: readonly number[]): DiskRun[] {
    const { segmentPages } = this.books;
    return diskRuns(pages, { slotPages, segmentPages, pageBytes });
  }

  #watch(work: Promise<void>): void {
    const watched: Promise<void> = work.finally(() => this.#underWay.delete(watched));
    this.#underWay.add(watched);
  }
}

function bytesOf(views: readonly Uint8Array[]): number {
  return views.reduce((sum, { byteLength }) => sum + byteLength, 0);
}
