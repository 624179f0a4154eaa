import { fail, hexOfU64, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { directBuffer } from "@pixii/runtime";
import type { Clock } from "@pixii/runtime";
import type { BlockPool } from "./core/block_pool.ts";
import { committedSlots } from "./core/committed_slots.ts";
import { isBlock } from "./disk/disk_store.ts";
import type { DiskTier } from "./disk/disk_tier.ts";
import type { HostTier } from "./host_tier.ts";
import { pageBytes } from "./pool_file.ts";

/** Blocks in memory that are verified before others get their turn. */
const blocksATurn = 16;

/** Blocks and bytes of one layout in one tier. */
export interface KvHolding {
  readonly blocks: number;
  readonly bytes: number;
}

/** What the tiers hold of one layout. */
export interface KvLayout {
  /** Hash, hex. */
  readonly layout: string;
  /** Empty where no worker has said it to a kvbm of this disk tier. */
  readonly fingerprint: string;
  /** Hashes of the models' names. */
  readonly models: readonly string[];
  /** Tokens of a block, and bytes of its slot. */
  readonly blockSize: number;
  readonly slotBytes: number;
  readonly host: KvHolding;
  readonly disk: KvHolding;
}

/** What a check of every block found; damaged ones are dropped. */
export interface KvVerified {
  readonly blocks: number;
  readonly bytes: number;
  readonly damaged: number;
  /** The disk did not give them. */
  readonly unreadable: number;
  readonly ms: number;
}

/** What operators ask of the tiers: `/kv`, and the actions `/kv/verify` and `/kv/drop`. */
export class KvDesk {
  readonly #host: HostTier;
  readonly #clock: Clock;

  constructor(host: HostTier, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
  }

  /** Sizes, counts and what is held of each layout. O(slots). */
  facts(): Record<string, unknown> {
    const { bytes, usedBytes, pool, desk, disk, path } = this.#host;
    const { landed, lost, prefetched } = desk.counts;
    return {
      host: {
        ...{ path, bytes, usedBytes, blocks: pool.keys.count, ends: pool.ends.count },
        counts: pool.counts,
      },
      ...(disk === undefined ? {} : { disk: diskFacts(disk.tier, disk.writes) }),
      fetches: { waiting: desk.depth, landed, lost, prefetched },
      layouts: this.layouts(),
    };
  }

  /** What the tiers hold, per layout. O(slots). */
  layouts(): KvLayout[] {
    const { pool, disk } = this.#host;
    const all = new Map<string, KvLayout>();
    for (const [tier, books] of [["host", pool], ["disk", disk?.tier.books.pool]] as const) {
      if (books === undefined) continue;
      const counts = new Array<number>(books.layouts.length).fill(0);
      for (const slot of committedSlots(books)) counts[books.table.layout[slot]] += 1;
      books.layouts.forEach(({ hi, lo, blockSize, slotPages }, at) => {
        const layout = hexOfU64(hi, lo);
        const { fingerprint = "", models = [] } = this.#host.layouts.of(layout) ?? {};
        const slotBytes = slotPages * pageBytes;
        const none = { blocks: 0, bytes: 0 };
        const known = all.get(layout) ?? { host: none, disk: none };
        const holding = { blocks: counts[at], bytes: counts[at] * slotBytes };
        const what = { layout, fingerprint, models, blockSize, slotBytes };
        all.set(layout, { ...what, ...known, [tier]: holding });
      });
    }
    return [...all.values()];
  }

  /** Reads every block of both tiers and compares it with its key and its checksums. Damaged ones are dropped. */
  async verify(): Promise<{ readonly host: KvVerified; readonly disk?: KvVerified }> {
    const host = await this.#verifyHost();
    const { disk } = this.#host;
    return disk === undefined ? { host } : { host, disk: await this.#verifyDisk(disk.tier) };
  }

  /** Drops blocks of one layout, of one model, or all. */
  async drop(url: URL): Promise<Result<{ readonly host: number; readonly disk: number }>> {
    const [layout, model] = ["layout", "model"].map((name) => url.searchParams.get(name));
    if (layout === null && model === null && url.searchParams.get("all") !== "1") {
      return fail("invalid_request", "Cannot drop: name a layout or a model, or say all=1");
    }
    const chosen = this.layouts().filter((one) =>
      (layout === null || one.layout === layout) && (model === null || one.models.includes(model))
    ).map((one) => one.layout);
    if (chosen.length === 0) return ok({ host: 0, disk: 0 });
    const { pool, disk } = this.#host;
    let host = 0;
    for (const at of indexesOf(pool, chosen)) {
      const slots = committedSlots(pool, at);
      pool.drop(slots);
      this.#host.changed(at);
      host += slots.length;
    }
    let below = 0;
    for (const at of disk === undefined ? [] : indexesOf(disk.tier.books.pool, chosen)) {
      below += await disk!.tier.drop(at);
    }
    return ok({ host, disk: below });
  }

  async #verifyHost(): Promise<KvVerified> {
    const { pool } = this.#host;
    const { table, layouts } = pool;
    const startedMs = this.#clock.nowMs();
    const damaged: number[] = [];
    let [blocks, bytes] = [0, 0];
    for (const slot of committedSlots(pool)) {
      const layout = layouts[table.layout[slot]];
      const [hi, lo] = [table.hi[slot], table.lo[slot]];
      // It may have left since the list was made.
      if (pool.keys.find(table.layout[slot], hi, lo) !== slot) continue;
      const slotBytes = layout.slotPages * pageBytes;
      const view = this.#host.view(table.page[slot] * pageBytes, slotBytes);
      if (!isBlock(view, { hi, lo, layout })) damaged.push(slot);
      bytes += slotBytes;
      if (++blocks % blocksATurn === 0) await turnOf(this.#clock);
    }
    for (const slot of damaged) {
      pool.drop([slot]);
      this.#host.changed(table.layout[slot]);
    }
    const ms = this.#clock.nowMs() - startedMs;
    return { blocks, bytes, damaged: damaged.length, unreadable: 0, ms };
  }

  async #verifyDisk(tier: DiskTier): Promise<KvVerified> {
    const { books } = tier;
    const { table, layouts } = books.pool;
    const startedMs = this.#clock.nowMs();
    const seen = { good: 0, damaged: 0, unreadable: 0, gone: 0 };
    let bytes = 0;
    for (const slot of books.slots()) {
      const layout = table.layout[slot];
      const view = directBuffer(layouts[layout].slotPages * pageBytes);
      const found = await tier.check({ layout, hi: table.hi[slot], lo: table.lo[slot] }, view);
      seen[found] += 1;
      if (found !== "gone") bytes += view.byteLength;
    }
    const { good, damaged, unreadable } = seen;
    const ms = this.#clock.nowMs() - startedMs;
    return { blocks: good + damaged + unreadable, bytes, damaged, unreadable, ms };
  }
}

function diskFacts(
  { store, counts, reads, writes, isOff }: DiskTier,
  behind: { readonly queued: number; readonly evictedUnwritten: number },
): Record<string, unknown> {
  const { folder, bytes, usedBytes, books, files, index } = store;
  return {
    ...{ folder, bytes, usedBytes, blocks: books.count, ends: books.pool.ends.count },
    ...{ off: isOff, direct: files.isDirect },
    ...{ segments: files.segments, indexRecords: index.records },
    counts: { ...counts, evictions: books.pool.counts.evictions },
    queue: {
      reads: reads.moving,
      writes: behind.queued,
      evictedUnwritten: behind.evictedUnwritten,
    },
    read: { bytes: reads.bytes, bytesPerSecond: Math.round(reads.bytesPerSecond) },
    written: { bytes: writes.bytes, bytesPerSecond: Math.round(writes.bytesPerSecond) },
  };
}

/** Indexes of the layouts of these hashes in a pool. */
function indexesOf({ layouts }: BlockPool, hashes: readonly string[]): number[] {
  return layouts.map((_, at) => at)
    .filter((at) => hashes.includes(hexOfU64(layouts[at].hi, layouts[at].lo)));
}

function turnOf(clock: Clock): Promise<void> {
  return new Promise((resolve) => void clock.turn(resolve));
}
