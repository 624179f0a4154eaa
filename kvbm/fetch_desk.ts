import { crc32 } from "node:zlib";
import { comingPage, endMark, readStoredBlock } from "@pixii/wire";
import type { InstanceId, StoredBlock } from "@pixii/wire";
import type { Clock } from "@pixii/runtime";
import type { BlockPool } from "./core/block_pool.ts";
import type { BlockSource } from "./core/block_source.ts";
import { IncomingBlocks } from "./core/incoming_blocks.ts";
import type { Incoming, IncomingBatch, Urgency } from "./core/incoming_blocks.ts";
import type { OwnedTier } from "./core/tier_room.ts";
import { LeaseWatches } from "./core/peer/lease_watches.ts";
import { WaitingLeases } from "./core/waiting_leases.ts";
import type { WaitedBlock, Waiter } from "./core/waiting_leases.ts";
import { pageBytes } from "./pool_file.ts";
import { PrefetchLeases } from "./prefetch_leases.ts";

/** Most blocks that sources fill at a time. */
const mostReading = 64;
/**
 * Where slots are short, so many are waited for before more is ordered, as long as others are being filled: an order of one
 * block costs its source as much as one of many.
 */
const leastOfOrder = 8;
/** Who waits for a source hears after this long that the block does not come, though it may still land. */
const lateMs = 5_000;

/** What the desk works on. */
export interface FetchDeskParts {
  readonly pool: BlockPool;
  /** The mapped pool's bytes [offset, offset + length). */
  readonly view: (offset: number, length: number) => Uint8Array<ArrayBuffer>;
  readonly clock: Clock;
  /** Says to a client what became of places that waited: rows as in `StoreRows`. */
  readonly tell: (client: number, op: "landed" | "lost", words: Uint32Array) => void;
  /** Blocks of this layout may have changed. */
  readonly onChange: (layout: number) => void;
  /** Words of `commit` were answered with these rows: blocks that others keep too may be copied. */
  readonly onStored?: (layout: number, entries: Uint32Array, rows: Uint32Array) => void;
}

/** A client's question that the pool has answered. */
export interface Question {
  readonly client: number;
  readonly lease: number;
  /** Index of the client's layout. */
  readonly layout: number;
  /** Rows of route lo, hi. */
  readonly routes: Uint32Array;
  /** The pool's answer, slot and page per row; what comes is marked in it. */
  readonly found: Uint32Array;
  /** True where a block that no source has will be committed by somebody. */
  readonly awaits: boolean;
  /** Block manager that is said to hold the blocks. */
  readonly from?: InstanceId;
  /** Places of the question that it is asked for; all if left out. */
  readonly ofFrom?: PlaceRange;
}

/** Places of a question: from `first` to before `end`. */
export interface PlaceRange {
  readonly first: number;
  readonly end: number;
}

/** Blocks by what became of them. */
export interface FetchCounts {
  readonly landed: Record<OwnedTier, number>;
  readonly lost: Record<OwnedTier, number>;
  prefetched: number;
}

/**
 * Brings blocks from the sources below the pool into it and answers the leases that wait. It is a client of the pool like
 * any other: reserve, have it filled, commit. What comes first from where is the order of the sources.
 */
export class FetchDesk implements Disposable {
  readonly waiting = new WaitingLeases();
  readonly counts: FetchCounts = {
    landed: { host: 0, disk: 0, remote: 0 },
    lost: { host: 0, disk: 0, remote: 0 },
    prefetched: 0,
  };
  readonly #parts: FetchDeskParts;
  readonly #sources: BlockSource[] = [];
  readonly #incoming = new IncomingBlocks();
  /** The desk's own client by layout, and its slots that are being filled. */
  readonly #clients = new Map<number, { readonly client: number; reading: number }>();
  #reading = 0;
  readonly #prefetches: PrefetchLeases;
  readonly #watches = new LeaseWatches();
  readonly #looking: Disposable;
  #isOver = false;

  constructor(parts: FetchDeskParts) {
    this.#parts = parts;
    this.#prefetches = new PrefetchLeases(parts.clock, ({ client, lease }) => {
      this.waiting.release(client, lease);
      parts.pool.release(client, [lease]);
    });
    this.#looking = parts.clock.every(lateMs / 5, () => this.#look());
  }

  /** Asks this source too, after those that came before. */
  add(source: BlockSource): void {
    this.#sources.push(source);
  }

  /** Blocks that are being brought or wait to be. */
  get depth(): number {
    return this.#incoming.size;
  }

  /** How many of these blocks (rows of route lo, hi) are neither in the pool nor on their way to it. */
  lacking(layout: number, routes: Uint32Array): number {
    const { keys } = this.#parts.pool;
    let lacking = 0;
    for (let i = 0; i < routes.length; i += 2) {
      const block = { layout, hi: routes[i + 1], lo: routes[i] };
      const isThere = keys.find(layout, block.hi, block.lo) !== 0 || this.#incoming.has(block);
      if (!isThere) lacking += 1;
    }
    return lacking;
  }

  /** Marks in the answer what is coming and has it brought. */
  want(question: Question): void {
    this.#want(question, "urgent");
    this.#pump();
  }

  /** Brings blocks before they are asked for and keeps them for some seconds. Answers how many are brought. */
  prefetch(
    layout: number,
    { routes, from }: { readonly routes: Uint32Array; readonly from?: InstanceId },
  ): number {
    const { client } = this.#clientOf(layout);
    const lease = this.#prefetches.next();
    const found = this.#parts.pool.find(client, lease, routes);
    this.#want({ client, lease, layout, routes, found, awaits: false, from }, "early");
    this.#prefetches.begin({ client, lease });
    this.#pump();
    let coming = 0;
    for (let i = 0; i < found.length; i += 2) if (found[i] === 0) coming += found[i + 1];
    this.counts.prefetched += coming;
    return coming;
  }

  /** Words of `commit` were answered with these rows: who waits for one of the blocks has it. */
  committed(layout: number, entries: Uint32Array, rows: Uint32Array): void {
    this.#parts.onStored?.(layout, entries, rows);
    if (this.waiting.count === 0) return;
    const landed: { waiter: Waiter; slot: number }[] = [];
    for (let i = 0, row = 0; i < entries.length; i += 6, row += 2) {
      const slot = rows[row];
      if (slot === 0) continue;
      const block = { layout, hi: entries[i + 2], lo: entries[i + 1] };
      for (const waiter of this.waiting.landed(block)) landed.push({ waiter, slot });
    }
    for (const group of grouped(landed, ({ waiter }) => waiter)) this.#land(group);
  }

  /** Words of `commitPrivate`: who waits for one of the blocks gets it, and nobody else. Answers rows as of `commit`. */
  commitPrivate(client: number, layout: number, entries: Uint32Array): Uint32Array {
    const { pool, tell } = this.#parts;
    const rows = new Uint32Array(entries.length / 3);
    for (let i = 0, row = 0; i < entries.length; i += 6, row += 2) {
      const slot = entries[i];
      const page = pool.table.page[slot];
      const waiters = this.waiting.landed({ layout, hi: entries[i + 2], lo: entries[i + 1] });
      if (!pool.commitPrivate(client, slot, waiters)) continue;
      if (waiters.length > 0) rows[row] = slot;
      for (const { client: reader, lease, position } of waiters) {
        tell(reader, "landed", Uint32Array.of(lease, position, slot, page));
      }
    }
    return rows;
  }

  /** Leases of a client are over. */
  release(client: number, leases: Iterable<number>): void {
    for (const lease of leases) {
      this.waiting.release(client, lease);
      this.#watches.end(client, lease);
    }
  }

  /** A client is gone. */
  leave(client: number): void {
    this.waiting.leave(client);
    this.#watches.leave(client);
  }

  /** Nothing is asked of sources any more. What they are filling has to end before the pool is unmapped. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#looking[Symbol.dispose]();
    this.#watches.clear();
    this.#prefetches.clear();
  }

  #want(question: Question, urgency: Urgency): void {
    const { client, lease, layout, routes, found, awaits, from, ofFrom } = question;
    const { pool, clock } = this.#parts;
    this.waiting.release(client, lease);
    this.#watches.end(client, lease);
    if (this.#isOver || (this.#sources.length === 0 && !awaits)) return;
    const missing: number[] = [];
    for (let i = 0; i < found.length; i += 2) if (found[i] === 0) missing.push(i);
    if (missing.length === 0) return;
    const asked = Uint32Array.from(missing.flatMap((i) => [routes[i], routes[i + 1]]));
    // Who awaits blocks of another block manager is told when they are there: before that it has nothing to give.
    const said = awaits ? undefined : from;
    const answers = this.#sources.map((one) => one.holds(pool.layouts[layout], asked, said));
    missing.forEach((i, at) => {
      const block = { layout, hi: routes[i + 1], lo: routes[i] };
      const mayBeFar = ofFrom === undefined || (i / 2 >= ofFrom.first && i / 2 < ofFrom.end);
      const place = answers.findIndex((held, of) =>
        held[at] === 1 && (mayBeFar || this.#sources[of].tier !== "remote")
      );
      const isKnown = this.#incoming.has(block);
      const isComing = place >= 0 || isKnown;
      if (!isComing && !awaits) return;
      if (!this.waiting.add(block, { client, lease, position: i / 2, awaits })) return;
      found[i + 1] = comingPage;
      if (isKnown && urgency === "urgent") this.#incoming.hasten(block);
      if (place < 0 || isKnown) return;
      const rest = { from: said, sinceMs: clock.nowMs(), isAsked: false, isWatched: false };
      this.#incoming.add({ block, source: this.#sources[place], ...rest }, urgency);
    });
    if (awaits && from !== undefined) this.#watch(question, from);
  }

  /** Has a peer say when what is awaited is there, and brings it then. */
  #watch({ client, lease, layout, routes, found }: Question, from: InstanceId): void {
    const source = this.#sources.find((one) => one.watch !== undefined);
    const waits = (at: number) => found[2 * at] === 0 && found[2 * at + 1] === comingPage;
    const blocks = Array.from({ length: routes.length / 2 }, (_, position) => ({
      ...{ position, block: { layout, hi: routes[2 * position + 1], lo: routes[2 * position] } },
    })).filter(({ position, block }) => waits(position) && !this.#incoming.has(block));
    if (source?.watch === undefined || blocks.length === 0) return;
    const watch = source.watch({
      ...{ layout: this.#parts.pool.layouts[layout], from },
      routes: Uint32Array.from(blocks.flatMap(({ block: { hi, lo } }) => [lo, hi])),
      there: (places) => {
        for (const place of places) this.#bring(blocks[place].block, source, from);
        this.#pump();
      },
      gone: (places) => {
        const positions = places.map((place) => blocks[place].position);
        const given = this.waiting.giveUp(client, lease, positions);
        this.#tellLost(given.map((position) => ({ client, lease, position, awaits: true })));
      },
    });
    this.#watches.put(client, lease, watch);
  }

  /** A peer has a block now that was awaited. */
  #bring(block: WaitedBlock, source: BlockSource, from: InstanceId): void {
    if (this.#incoming.has(block) || !this.waiting.isWanted(block)) return;
    const sinceMs = this.#parts.clock.nowMs();
    const incoming = { block, source, from, sinceMs, isAsked: false, isWatched: true };
    this.#incoming.add(incoming, "urgent");
  }

  /** Gives sources to fill what there are slots for. */
  #pump(): void {
    while (!this.#isOver && this.#reading < mostReading) {
      const next = this.#incoming.next((block) => this.waiting.isWanted(block));
      if (next.batch.length === 0) return;
      if (!this.#fill(next)) return;
    }
  }

  /** Has a batch filled; false where slots have to become free first. */
  #fill({ urgency, batch }: IncomingBatch): boolean {
    const { pool, view, onChange } = this.#parts;
    const [{ source, from, block: { layout } }] = batch;
    const own = this.#clientOf(layout);
    const share = Math.max(1, Math.floor(pool.mostReserved(layout) / 4));
    const enough = Math.min(batch.length, leastOfOrder, share);
    if (own.reading > 0 && pool.reservable(own.client) < enough) {
      this.#incoming.putBack(urgency, batch);
      return false;
    }
    const rows = pool.reserve(own.client, batch.length);
    onChange(layout);
    const filled = batch.slice(0, rows.length / 2);
    const left = batch.slice(rows.length / 2);
    if (filled.length === 0 && own.reading === 0) {
      // All of the pool is held and nothing is on the way that could free it.
      this.#lose(left);
      return true;
    }
    this.#incoming.putBack(urgency, left);
    if (filled.length === 0) return false;
    const kind = pool.layouts[layout];
    const slotBytes = kind.slotPages * pageBytes;
    const blocks = filled.map(({ block: { hi, lo } }, at) => ({
      ...{ hi, lo, view: view(rows[2 * at + 1] * pageBytes, slotBytes) },
    }));
    for (const incoming of filled) incoming.isAsked = true;
    own.reading += filled.length;
    this.#reading += filled.length;
    source.fetch({
      ...{ layout: kind, blocks, from },
      done: (at, outcome) => {
        own.reading -= 1;
        this.#reading -= 1;
        this.#done(filled[at], { slot: rows[2 * at], view: blocks[at].view, outcome });
        this.#pump();
      },
    });
    return left.length === 0;
  }

  #done(
    incoming: Incoming,
    end: { slot: number; view: Uint8Array; outcome: "landed" | "lost" },
  ): void {
    const { pool, onChange } = this.#parts;
    const { block, source } = incoming;
    const { client } = this.#clientOf(block.layout);
    this.#incoming.end(incoming);
    const header = end.outcome === "landed" ? this.#headerOf(end.view, block) : undefined;
    if (header === undefined) {
      pool.giveUp(client, [end.slot]);
      this.#lose([incoming]);
      return;
    }
    const { parent = { hi: 0, lo: 0 }, handover } = header;
    const index = header.end === true ? header.index + endMark : header.index;
    const entry = Uint32Array.of(end.slot, block.lo, block.hi, parent.lo, parent.hi, index);
    this.counts.landed[source.tier] += 1;
    if (handover !== undefined) this.commitPrivate(client, block.layout, entry);
    else this.committed(block.layout, entry, pool.commit(client, entry));
    onChange(block.layout);
  }

  /** The header of a block that landed, if it is the one that was wanted. */
  #headerOf(view: Uint8Array, { layout, hi, lo }: WaitedBlock): StoredBlock | undefined {
    const header = readStoredBlock(view, crc32);
    const kind = this.#parts.pool.layouts[layout];
    if (!header.ok) return undefined;
    const { key } = header.value;
    const isWanted = key.route.hi === hi && key.route.lo === lo &&
      key.layout.hi === kind.hi && key.layout.lo === kind.lo;
    return isWanted ? header.value : undefined;
  }

  /** Pins what landed for a lease and says so. */
  #land(group: readonly { readonly waiter: Waiter; readonly slot: number }[]): void {
    const { pool, tell } = this.#parts;
    const [{ waiter: { client, lease } }] = group;
    pool.hold(client, lease, group.map(({ slot }) => slot));
    const words = group.flatMap(({ waiter: { position }, slot }) => [
      ...[lease, position, slot, pool.table.page[slot]],
    ]);
    tell(client, "landed", Uint32Array.from(words));
  }

  /** These do not come. */
  #lose(all: readonly Incoming[]): void {
    const waiters: Waiter[] = [];
    for (const incoming of all) {
      const { block, source, isWatched } = incoming;
      incoming.isAsked = true;
      this.#incoming.end(incoming);
      this.counts.lost[source.tier] += 1;
      waiters.push(...isWatched ? this.waiting.landed(block) : this.waiting.lost(block));
    }
    this.#tellLost(waiters);
  }

  #tellLost(waiters: readonly Waiter[]): void {
    for (const group of grouped(waiters, (waiter) => waiter)) {
      const words = group.flatMap(({ lease, position }) => [lease, position]);
      this.#parts.tell(group[0].client, "lost", Uint32Array.from(words));
    }
  }

  /** Who waits for too long hears so; the block may land later and then is in the pool. */
  #look(): void {
    const oldestMs = this.#parts.clock.nowMs() - lateMs;
    const waiters = this.#incoming.since(oldestMs).flatMap((block) => this.waiting.lost(block));
    this.#tellLost(waiters);
  }

  #clientOf(layout: number): { readonly client: number; reading: number } {
    let own = this.#clients.get(layout);
    if (own === undefined) {
      own = { client: this.#parts.pool.join(layout), reading: 0 };
      this.#clients.set(layout, own);
    }
    return own;
  }
}

/** Items that belong to one client and lease, together. */
function grouped<Item>(items: readonly Item[], waiterOf: (item: Item) => Waiter): Item[][] {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const { client, lease } = waiterOf(item);
    const group = groups.get(`${client}/${lease}`);
    if (group === undefined) groups.set(`${client}/${lease}`, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
