import type { Clock } from "@pixii/runtime";
import type { BlockPool } from "../core/block_pool.ts";
import { slotStates } from "../core/slot_table.ts";
import { pageBytes } from "../pool_file.ts";
import type { BlockToWrite, DiskTier } from "./disk_tier.ts";

/** Most blocks and bytes of one batch, and batches side by side. */
const mostBlocks = 16;
const mostBytes = 8 * 1024 * 1024;
const lanes = 2;
/** Blocks that wait to be written; of more, the oldest is left to be found again before it is evicted. */
const mostQueued = 65_536;
/** Part of the pool that waits to be written from which on what is evicted next goes first. */
const behindShare = 1 / 4;
/** What budget may pile up while nothing is written. */
const burstMs = 250;
/** A write lets reads go first for so long. */
const yieldMs = 50;
const lookMs = 5;
/** Longest pause at a time: where the budget is used up, or nothing could be written. */
const idleMs = 100;
/** Written blocks are made to outlive the machine's end this often. */
const syncMs = 2_000;

/** What it works on. */
export interface WriteBehindParts {
  readonly pool: BlockPool;
  readonly view: (offset: number, length: number) => Uint8Array<ArrayBuffer>;
  readonly tier: DiskTier;
  readonly clock: Clock;
  /** Bytes it may write a second. */
  readonly bytesPerSecond: number;
}

interface Waiting {
  readonly slot: number;
  readonly layout: number;
  readonly hi: number;
  readonly lo: number;
}

/**
 * Copies what comes into the host pool to disk: behind the engine's back, within a budget, ahead of eviction. Nobody waits
 * for it. While a block is written it is not evicted: another goes.
 */
export class WriteBehind implements AsyncDisposable {
  readonly #parts: WriteBehindParts;
  #queue: Waiting[] = [];
  #at = 0;
  /** Slots that a lane has taken and that have not been evicted since. */
  readonly #writing = new Set<number>();
  /** Slots whose block has been written, or found on disk: it is not written again while it stays in the pool. */
  readonly #offered = new Set<number>();
  readonly #lanes: (Promise<void> | undefined)[] = new Array(lanes).fill(undefined);
  #budgetBytes: number;
  #filledMs: number;
  #isDraining = false;
  readonly #end = new AbortController();
  readonly #syncing: Disposable;
  /** Blocks that left the host pool and are not on disk. */
  evictedUnwritten = 0;

  constructor(parts: WriteBehindParts) {
    this.#parts = parts;
    this.#budgetBytes = this.#mostBudget();
    this.#filledMs = parts.clock.nowMs();
    parts.pool.onEvict = (slot) => this.#evicted(slot);
    this.#syncing = parts.clock.every(syncMs, () => this.#sync());
  }

  /** Blocks that wait to be written. */
  get queued(): number {
    return this.#queue.length - this.#at;
  }

  /** Words of `commit` were answered with these rows: what is new is to be written. */
  stored(layout: number, entries: Uint32Array, rows: Uint32Array): void {
    for (let i = 0, row = 0; i < entries.length; i += 6, row += 2) {
      if (rows[row] === 0 || rows[row + 1] === 1) continue;
      if (this.queued >= mostQueued) this.#at += 1;
      this.#offered.delete(rows[row]);
      this.#queue.push({ slot: rows[row], layout, hi: entries[i + 2], lo: entries[i + 1] });
    }
    this.#wake();
  }

  /** Writes all that waits without regard to the budget; until done, or the signal says that it is enough. */
  async drain(signal: AbortSignal): Promise<void> {
    this.#isDraining = true;
    while (this.queued + this.#writing.size > 0 && !signal.aborted && !this.#parts.tier.isOff) {
      this.#wake();
      const running = this.#lanes.filter((lane) => lane !== undefined);
      if (running.length === 0) break;
      await Promise.race([...running, aborted(signal)]);
    }
    if (!signal.aborted) await this.#sync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    this.#syncing[Symbol.dispose]();
    await Promise.all(this.#lanes);
  }

  get #goesOn(): boolean {
    return !this.#end.signal.aborted && !this.#parts.tier.isOff;
  }

  #wake(): void {
    for (let lane = 0; lane < lanes; lane++) {
      if (this.#lanes[lane] !== undefined || this.queued === 0) continue;
      this.#lanes[lane] = this.#run().finally(() => {
        this.#lanes[lane] = undefined;
        // What came while it ended.
        if (this.#goesOn) this.#wake();
      });
    }
  }

  async #run(): Promise<void> {
    const { tier, pool } = this.#parts;
    while (this.#goesOn) {
      const batch = this.#next();
      if (batch.length === 0) return;
      const kind = pool.layouts[batch[0].layout];
      const bytes = batch.length * kind.slotPages * pageBytes;
      for (const { slot } of batch) this.#writing.add(slot);
      if (!await this.#afford(bytes)) return;
      // What was evicted while the budget was waited for is not there to be written.
      const there = batch.filter((one) => this.#writing.has(one.slot) && this.#isThere(one));
      const blocks = there.map((one) => this.#blockOf(one));
      for (const { slot } of there) pool.copying.add(slot);
      const { stored, left } = await tier.write(kind, blocks);
      for (const { slot } of there) pool.copying.delete(slot);
      // In front again, in their order.
      const again = there.filter((_, at) => left.includes(blocks[at]));
      for (const { slot } of again) this.#writing.delete(slot);
      this.#queue.splice(this.#at, 0, ...again);
      for (const { slot } of batch) if (this.#writing.delete(slot)) this.#offered.add(slot);
      if (stored === 0 && !await this.#pause(idleMs)) return;
    }
  }

  /** The next blocks of one layout that are in the pool and not on disk. */
  #next(): Waiting[] {
    const batch: Waiting[] = [];
    const { pool } = this.#parts;
    const isBehind = this.queued > pool.table.live * behindShare && !this.#isDraining;
    if (isBehind) batch.push(...this.#coldest());
    while (batch.length === 0 && this.queued > 0) {
      const limit = this.#mostOf(this.#queue[this.#at].layout);
      while (batch.length < limit && this.queued > 0) {
        const one = this.#queue[this.#at];
        if (batch.length > 0 && batch[0].layout !== one.layout) break;
        this.#at += 1;
        if (this.#isWanted(one)) batch.push(one);
      }
    }
    if (this.#at > 1_024 && this.#at * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#at);
      this.#at = 0;
    }
    return batch;
  }

  /** What will probably be evicted next, of one layout. */
  #coldest(): Waiting[] {
    const { table } = this.#parts.pool;
    const skip = (slot: number) => !this.#isWanted(this.#of(slot));
    const [first, ...rest] = this.#parts.pool.coldest(mostBlocks, { look: 256, skip });
    if (first === undefined) return [];
    const layout = table.layout[first];
    return [first, ...rest.filter((slot) => table.layout[slot] === layout)]
      .slice(0, this.#mostOf(layout)).map((slot) => this.#of(slot));
  }

  #of(slot: number): Waiting {
    const { layout, hi, lo } = this.#parts.pool.table;
    return { slot, layout: layout[slot], hi: hi[slot], lo: lo[slot] };
  }

  #mostOf(layout: number): number {
    const slotBytes = this.#parts.pool.layouts[layout].slotPages * pageBytes;
    return Math.max(1, Math.min(mostBlocks, Math.floor(mostBytes / slotBytes)));
  }

  #isThere({ slot, layout, hi, lo }: Waiting): boolean {
    return this.#parts.pool.keys.find(layout, hi, lo) === slot;
  }

  #isWanted(one: Waiting): boolean {
    const { slot } = one;
    if (!this.#isThere(one) || this.#writing.has(slot) || this.#offered.has(slot)) return false;
    const { tier, pool } = this.#parts;
    const kind = pool.layouts[one.layout];
    if (tier.layoutOf(kind) === undefined) return false;
    return tier.holds(kind, Uint32Array.of(one.lo, one.hi))[0] === 0;
  }

  #blockOf(one: Waiting): BlockToWrite {
    const { pool, view } = this.#parts;
    const { table } = pool;
    const { slot, hi, lo } = one;
    return {
      block: {
        ...{ hi, lo, index: table.index[slot] },
        ...{ parentHi: table.parentHi[slot], parentLo: table.parentLo[slot] },
      },
      view: view(table.page[slot] * pageBytes, pool.layouts[one.layout].slotPages * pageBytes),
      isStill: () =>
        this.#writing.has(slot) && this.#isThere(one) &&
        table.state[slot] === slotStates.committed,
    };
  }

  #evicted(slot: number): void {
    const isWritten = !this.#writing.delete(slot) && !this.#isWanted(this.#of(slot));
    this.#offered.delete(slot);
    if (!isWritten) this.evictedUnwritten += 1;
  }

  /** Waits until so many bytes may be written; false where the end comes first. */
  async #afford(bytes: number): Promise<boolean> {
    const { clock, tier, bytesPerSecond } = this.#parts;
    const untilMs = clock.nowMs() + yieldMs;
    while (tier.reads.moving > 0 && clock.nowMs() < untilMs && !this.#isDraining) {
      if (!await this.#pause(lookMs)) return false;
    }
    this.#fill();
    this.#budgetBytes -= bytes;
    while (this.#budgetBytes < 0 && !this.#isDraining) {
      const lackMs = -this.#budgetBytes / bytesPerSecond * 1_000;
      if (!await this.#pause(Math.min(idleMs, lackMs))) return false;
      this.#fill();
    }
    return true;
  }

  /** False where the end came meanwhile. */
  async #pause(ms: number): Promise<boolean> {
    try {
      await this.#parts.clock.sleep(ms, this.#end.signal);
      return true;
    } catch {
      // The end came while it slept.
      return false;
    }
  }

  #mostBudget(): number {
    return Math.max(mostBytes, this.#parts.bytesPerSecond * burstMs / 1_000);
  }

  #fill(): void {
    const nowMs = this.#parts.clock.nowMs();
    const more = (nowMs - this.#filledMs) / 1_000 * this.#parts.bytesPerSecond;
    this.#filledMs = nowMs;
    this.#budgetBytes = Math.min(this.#mostBudget(), this.#budgetBytes + more);
  }

  async #sync(): Promise<void> {
    if (this.#parts.tier.isOff) return;
    await this.#parts.tier.sync();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
}
