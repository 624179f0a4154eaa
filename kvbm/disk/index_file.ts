import { crc32 } from "node:zlib";
import { ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { encodeIndexHead, encodeRecords, recordBytes } from "../core/disk/index_record.ts";
import type { IndexRecord } from "../core/disk/index_record.ts";
import { replayIndex } from "../core/disk/index_replay.ts";
import type { ReplayedIndex } from "../core/disk/index_replay.ts";
import { diskFailure } from "./disk_failure.ts";

/** An index is written anew when it has this many times more records than blocks, and at least so many. */
const mostStale = 4;
const leastRecords = 65_536;

/** The index on disk: appended to, one write at a time; what a write left half done is cut off. */
export class IndexFile implements Disposable {
  readonly #path: string;
  readonly #segmentPages: number;
  #file: Deno.FsFile;
  #bytes: number;
  #last: Promise<boolean> = Promise.resolve(true);
  #isBroken = false;

  private constructor(path: string, opened: { file: Deno.FsFile; bytes: number; pages: number }) {
    this.#path = path;
    this.#file = opened.file;
    this.#bytes = opened.bytes;
    this.#segmentPages = opened.pages;
  }

  /** What an index says; nothing where there is none, or none of this version. */
  static async read(
    path: string,
  ): Promise<(ReplayedIndex & { readonly bytes: number }) | undefined> {
    try {
      const bytes = await Deno.readFile(path);
      const replayed = replayIndex(bytes, crc32);
      return replayed && { ...replayed, bytes: bytes.byteLength };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  /** Goes on behind the good bytes of an index that was read. */
  static async open(path: string, replayed: ReplayedIndex): Promise<Result<IndexFile>> {
    try {
      const file = await Deno.open(path, { read: true, write: true });
      await file.truncate(replayed.goodBytes);
      await file.seek(0, Deno.SeekMode.End);
      const { goodBytes: bytes, segmentPages: pages } = replayed;
      return ok(new IndexFile(path, { file, bytes, pages }));
    } catch (error) {
      return diskFailure(`open ${path}`, error);
    }
  }

  /** Begins an index that says of no block. */
  static async create(path: string, segmentPages: number): Promise<Result<IndexFile>> {
    try {
      const file = await writeAnew(path, encodeIndexHead(segmentPages, crc32));
      return ok(new IndexFile(path, { file, bytes: recordBytes, pages: segmentPages }));
    } catch (error) {
      return diskFailure(`make ${path}`, error);
    }
  }

  /** Records it has. */
  get records(): number {
    return this.#bytes / recordBytes - 1;
  }

  /** Adds records behind those that were added before; false where they are not in it, and then none of them is. */
  append(records: readonly IndexRecord[]): Promise<boolean> {
    if (records.length === 0) return this.#last;
    const bytes = encodeRecords(records, crc32);
    return this.#next(async () => {
      try {
        await writeAll(this.#file, bytes);
        this.#bytes += bytes.byteLength;
        return true;
      } catch {
        // Whatever the reason: the caller counts it and goes on without these records. Half a record must not stay.
        await this.#cut();
        return false;
      }
    });
  }

  /** True where most records are of blocks that are gone. */
  isStale(blocks: number): boolean {
    return this.records > Math.max(leastRecords, mostStale * blocks);
  }

  /** Begins anew with these records: the old index stays until the new one is whole. */
  rewrite(records: readonly IndexRecord[]): Promise<boolean> {
    const head = encodeIndexHead(this.#segmentPages, crc32);
    const body = encodeRecords(records, crc32);
    const bytes = new Uint8Array(head.length + body.length);
    bytes.set(head);
    bytes.set(body, head.length);
    return this.#next(async () => {
      try {
        const file = await writeAnew(this.#path, bytes);
        this.#file.close();
        this.#file = file;
        this.#bytes = bytes.length;
        return true;
      } catch {
        // The old index is still there and still true.
        return false;
      }
    });
  }

  /** What was appended outlives the machine's end. */
  sync(): Promise<boolean> {
    return this.#next(async () => {
      try {
        await this.#file.syncData();
        return true;
      } catch {
        // Said by the answer: the caller tries again later.
        return false;
      }
    });
  }

  /** Nothing may be on the way. */
  [Symbol.dispose](): void {
    this.#file.close();
  }

  #next(work: () => Promise<boolean>): Promise<boolean> {
    this.#last = this.#last.then(() => this.#isBroken ? false : work());
    return this.#last;
  }

  async #cut(): Promise<void> {
    try {
      await this.#file.truncate(this.#bytes);
      await this.#file.seek(this.#bytes, Deno.SeekMode.Start);
    } catch {
      // A tail that cannot be cut off would hide all that follows: nothing is added any more.
      this.#isBroken = true;
    }
  }
}

/** Writes a file under another name and gives it its own once it is whole. Answers it, at its end. */
async function writeAnew(path: string, bytes: Uint8Array): Promise<Deno.FsFile> {
  const part = `${path}.part`;
  const file = await Deno.open(part, { read: true, write: true, create: true, truncate: true });
  try {
    await writeAll(file, bytes);
    await file.syncData();
    await Deno.rename(part, path);
  } catch (error) {
    file.close();
    throw error;
  }
  return file;
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
}
