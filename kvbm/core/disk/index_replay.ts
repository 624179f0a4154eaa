import type { Crc32 } from "@pixii/wire";
import { readIndexHead, readRecord, recordBytes } from "./index_record.ts";
import type { DiskEntry } from "./index_record.ts";

/** What an index says. */
export interface ReplayedIndex {
  readonly segmentPages: number;
  /** The blocks that are there, in the order they were stored. */
  readonly entries: readonly DiskEntry[];
  /** Records read, and the bytes up to the first that is damaged or cut: what follows is of no use. */
  readonly records: number;
  readonly goodBytes: number;
}

/**
 * Reads an index: the last word about a page counts, and a segment holds slots of one length. A key may be there twice:
 * then the later is meant. `undefined` where it has no whole head. O(records).
 */
export function replayIndex(bytes: Uint8Array, crc32: Crc32): ReplayedIndex | undefined {
  const segmentPages = readIndexHead(bytes, crc32);
  if (segmentPages === undefined || segmentPages === 0) return undefined;
  const live = new LiveEntries(segmentPages);
  let at = recordBytes;
  for (;;) {
    const record = readRecord(bytes, at, crc32);
    if (record === undefined) break;
    if (record.op === "drop") live.drop(record.page);
    else live.put(record.entry);
    at += recordBytes;
  }
  return {
    ...{ segmentPages, entries: live.entries(), goodBytes: at },
    records: at / recordBytes - 1,
  };
}

/** The blocks that an index has said to be there so far. */
class LiveEntries {
  readonly #segmentPages: number;
  readonly #byPage = new Map<number, DiskEntry>();
  readonly #segments = new Map<number, { slotPages: number; readonly pages: Set<number> }>();

  constructor(segmentPages: number) {
    this.#segmentPages = segmentPages;
  }

  entries(): DiskEntry[] {
    return [...this.#byPage.values()];
  }

  drop(page: number): void {
    const entry = this.#byPage.get(page);
    if (entry === undefined) return;
    this.#byPage.delete(page);
    this.#segments.get(this.#segmentOf(page))!.pages.delete(page);
  }

  put(entry: DiskEntry): void {
    const { page, slotPages } = entry;
    const segment = this.#segments.get(this.#segmentOf(page));
    if (segment !== undefined && segment.slotPages !== slotPages) {
      for (const old of segment.pages) this.drop(old);
      segment.slotPages = slotPages;
    }
    this.drop(page);
    this.#byPage.set(page, entry);
    if (segment !== undefined) segment.pages.add(page);
    else this.#segments.set(this.#segmentOf(page), { slotPages, pages: new Set([page]) });
  }

  #segmentOf(page: number): number {
    return Math.floor(page / this.#segmentPages);
  }
}
