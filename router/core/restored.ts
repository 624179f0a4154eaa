import type { KvEventBatch } from "@pixii/wire";
import { sourceKey } from "./event_source.ts";
import type { EventStream } from "./event_stream.ts";

/** How long a restored source waits for a word of its live stream. */
const keepMs = 10_000;
/** Restored sources that wait; more are dropped. */
const mostSources = 65_536;

/** Where a restored source comes from: a sibling that follows the live streams, or a file that was written long ago. */
export type RestoredFrom = "peer" | "file";

/** What became of a restored source. */
export interface JoinResult {
  readonly result: "joined" | "outdated";
  /** It was put in and does not reach the live stream: what is indexed now must be given up. */
  readonly mustResync: boolean;
}

interface Kept {
  readonly batch: KvEventBatch;
  readonly from: RestoredFrom;
  readonly untilMs: number;
}

/**
 * Snapshots of sources that did not come from their owners. None counts before its epoch and number join up with a live
 * word of the owner, a load report or a batch: what was removed in between is then known to be nothing, or follows.
 * Otherwise it is dropped, and the owner's own snapshot is fetched. Pure: time is an argument.
 */
export class Restored {
  readonly #kept = new Map<string, Kept>();

  /** Sources that wait. */
  get size(): number {
    return this.#kept.size;
  }

  /** Keeps a snapshot for its source; false where too many wait. */
  put(batch: KvEventBatch, from: RestoredFrom, nowMs: number): boolean {
    if (this.#kept.size >= mostSources) return false;
    this.#kept.set(sourceKey(batch), { batch, from, untilMs: nowMs + keepMs });
    return true;
  }

  /**
   * The live stream says that its last number is `number`, by a report or by a batch of `epoch`. Puts the snapshot in
   * where it joins; `undefined` where none is kept.
   */
  join(
    stream: EventStream,
    live: { readonly key: string; readonly number: number; readonly epoch?: string },
    nowMs: number,
  ): JoinResult | undefined {
    const kept = this.#kept.get(live.key);
    if (kept === undefined) return undefined;
    this.#kept.delete(live.key);
    const { batch, from } = kept;
    // By the rule of this house the owner is the epoch; a batch may say otherwise.
    const epoch = live.epoch ?? stream.epoch ?? stream.source.owner;
    // A sibling may know of batches that the last report did not; a file never can.
    const isAhead = batch.number > live.number;
    const isOurs = batch.epoch === epoch && batch.blockSize === stream.source.blockSize &&
      !(isAhead && from === "file");
    if (!isOurs) return { result: "outdated", mustResync: false };
    stream.swap(batch, nowMs);
    const isJoined = stream.state === "exact" && stream.number >= live.number;
    return { result: isJoined ? "joined" : "outdated", mustResync: !isJoined };
  }

  /** Drops what waited in vain; returns how many. */
  expire(nowMs: number): number {
    let dropped = 0;
    for (const [key, { untilMs }] of this.#kept) {
      if (nowMs < untilMs) continue;
      this.#kept.delete(key);
      dropped += 1;
    }
    return dropped;
  }

  /** Drops everything that waits. */
  clear(): void {
    this.#kept.clear();
  }
}
