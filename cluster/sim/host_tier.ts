import { commonOptions } from "@pixii/runtime";
import type { Clock, Service, ServiceSpec } from "@pixii/runtime";
import { BlockPool } from "@pixii/kvbm/core";
import type { HostBlocks } from "@pixii/workers/sim";

/** How long a block that a worker reads stays pinned, and how long one that it writes stays reserved. */
const readMs = 2;
const writeMs = 3;
/** Pages of a slot, and slots of a segment: a small pool still has several segments. */
const slotPages = 2;
const slotsPerSegment = 8;

/** The books of the host tier, in one life of the program that keeps them. */
export interface TierBooks {
  readonly pool: BlockPool;
  readonly layout: number;
}

/**
 * A block manager without shared memory, threads and sockets: the books of the real one's host tier, which all workers
 * share. `onOpen` is told of each start.
 */
export function kvbmProgram(
  { blocks, blockSize, onOpen }: {
    readonly blocks: number;
    readonly blockSize: number;
    readonly onOpen: (books: TierBooks) => void;
  },
): ServiceSpec<typeof commonOptions> {
  return {
    name: "kvbm",
    summary: "The books of a host tier",
    schema: commonOptions,
    start(): Promise<Service> {
      const segments = Math.ceil(blocks / slotsPerSegment);
      const pool = new BlockPool({ segments, segmentPages: slotPages * slotsPerSegment });
      const layout = pool.layout({ hi: 0, lo: 1, blockSize, slotPages });
      if (layout === undefined) throw new Error("the slots do not fit their segments");
      onOpen({ pool, layout });
      return Promise.resolve({
        health: () => ({ status: "ready", details: { blocks: pool.keys.count } }),
        drain: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
  };
}

/** A client of some books. */
interface Joined {
  readonly books: TierBooks;
  readonly client: number;
}

/**
 * One rank's side of the host tier: blocks that leave the device are reserved, written and committed; those that come back
 * are pinned while they are read. Both take time, in which this worker or the block manager may die.
 */
export class RankTier implements HostBlocks {
  readonly #books: () => TierBooks | undefined;
  readonly #clock: Clock;
  #joined: Joined | undefined;
  #lease = 0;

  /** `books`: those of the block manager that lives now. `clock`: that of the worker, which stops with it. */
  constructor(parts: { readonly books: () => TierBooks | undefined; readonly clock: Clock }) {
    this.#books = parts.books;
    this.#clock = parts.clock;
  }

  touch(hi: number, lo: number): boolean {
    const at = this.#at();
    if (at === undefined) return false;
    const { books: { pool }, client } = at;
    const lease = ++this.#lease;
    if (pool.find(client, lease, Uint32Array.of(lo, hi))[0] === 0) return false;
    this.#after(readMs, at, () => pool.release(client, [lease]));
    return true;
  }

  keep(hi: number, lo: number): void {
    const at = this.#at();
    if (at === undefined) return;
    const { books: { pool }, client } = at;
    const [slot] = pool.reserve(client, 1);
    // All is held: the block is lost to this tier.
    if (slot === undefined) return;
    this.#after(writeMs, at, () => pool.commit(client, Uint32Array.of(slot, lo, hi, 0, 0, 0)));
  }

  /** The block manager hears that this worker is gone. */
  leave(): void {
    const at = this.#joined;
    this.#joined = undefined;
    if (at !== undefined && this.#books() === at.books) at.books.pool.leave(at.client);
  }

  checkIntegrity(): void {
    this.#books()?.pool.checkIntegrity();
  }

  #at(): Joined | undefined {
    const books = this.#books();
    if (books === undefined) return undefined;
    if (this.#joined?.books !== books) {
      this.#joined = { books, client: books.pool.join(books.layout) };
    }
    return this.#joined;
  }

  /** Unless the block manager has died meanwhile, and its books with it. */
  #after(ms: number, at: Joined, then: () => void): void {
    this.#clock.timer(ms, () => {
      if (this.#joined === at && this.#books() === at.books) then();
    });
  }
}

/** What is still held in the books, in words. */
export function heldProblems({ pool }: TierBooks, ranks: number): readonly string[] {
  const problems: string[] = [];
  if (pool.clients.size > ranks) {
    problems.push(`the host tier has ${pool.clients.size} clients of ${ranks} ranks`);
  }
  for (const { number, reserved, leases } of pool.clients.values()) {
    if (reserved.size + leases.size === 0) continue;
    problems.push(`client ${number} holds ${reserved.size} slots and ${leases.size} leases`);
  }
  const { highest, pins } = pool.table;
  const pinned = pins.subarray(0, highest + 1).filter((count) => count > 0).length;
  if (pinned > 0) problems.push(`${pinned} slots of the host tier are pinned`);
  return problems;
}
