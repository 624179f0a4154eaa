import { crc32 } from "node:zlib";
import { fail, ok, payloadOffset, readStoredBlock } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { formatBytes, PathLock } from "@pixii/runtime";
import type { Clock, Log } from "@pixii/runtime";
import { DiskBooks } from "../core/disk/disk_books.ts";
import type { PoolLayout } from "../core/pool_client.ts";
import { pageBytes } from "../pool_file.ts";
import { diskFailure } from "./disk_failure.ts";
import type { DiskPlan } from "./disk_place.ts";
import { IndexFile } from "./index_file.ts";
import { SegmentFiles } from "./segment_files.ts";

/** A segment is a file: at least so long where the tier is large enough, and so many at most when a tier is made. */
const segmentBytes = 64 * 1024 * 1024;
const mostSegments = 512;
/** Files open at a time of a tier that grew; beyond it the tier begins anew with longer segments. */
const mostFiles = 768;
/** Small tiers have at least this many segments. */
const leastSegments = 4;

/** A folder of blocks, opened: its lock, books, index and segments. */
export class DiskStore implements Disposable {
  readonly books: DiskBooks;
  readonly index: IndexFile;
  readonly files: SegmentFiles;
  readonly folder: string;
  readonly #lock: PathLock;

  private constructor(
    folder: string,
    parts: { books: DiskBooks; index: IndexFile; files: SegmentFiles; lock: PathLock },
  ) {
    this.folder = folder;
    this.books = parts.books;
    this.index = parts.index;
    this.files = parts.files;
    this.#lock = parts.lock;
  }

  /** Opens a folder with what an earlier run left in it; says in the log what is not as wished. */
  static async open(
    plan: DiskPlan,
    { clock, log }: { readonly clock: Clock; readonly log: Log },
  ): Promise<Result<DiskStore>> {
    const { folder, bytes } = plan;
    using stack = new DisposableStack();
    try {
      await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      return diskFailure(`make the folder ${folder}`, error);
    }
    const lock = PathLock.take(`${folder}/lock`);
    if (lock === undefined) {
      const why = "another kvbm uses it, or it cannot be written";
      return fail("internal", `Cannot keep blocks in ${folder}: ${why}; name another folder`);
    }
    stack.use(lock);
    const path = `${folder}/index.kv`;
    const startedMs = clock.nowMs();
    const said = await IndexFile.read(path);
    const kept = said !== undefined && fits(bytes, said.segmentPages) ? said : undefined;
    if (said !== undefined && kept === undefined) {
      log.warn("the disk tier begins anew: its segments do not fit the size that is wanted", {
        folder,
      });
    }
    const segmentPages = kept?.segmentPages ?? segmentPagesOf(bytes);
    const segments = Math.floor(bytes / (segmentPages * pageBytes));
    if (segments === 0) {
      return fail("internal", `Cannot keep blocks in ${folder}: ${formatBytes(bytes)} are too few`);
    }
    const files = await SegmentFiles.open({ folder, segments, segmentPages });
    if (!files.ok) return files;
    stack.use(files.value);
    const index = kept === undefined
      ? await IndexFile.create(path, segmentPages)
      : await IndexFile.open(path, kept);
    if (!index.ok) return index;
    stack.use(index.value);
    const books = new DiskBooks({ segments: files.value.segments, segmentPages });
    const blocks = books.restore(kept?.entries ?? []);
    if (index.value.isStale(books.count)) await index.value.rewrite(books.records());
    if (kept !== undefined && kept.bytes > kept.goodBytes) {
      log.warn("the end of the disk tier's index was cut off: a write had not ended", {
        ...{ folder, bytes: kept.bytes - kept.goodBytes },
      });
    }
    log.info("the disk tier is open", {
      folder,
      blocks,
      ms: Math.round(clock.nowMs() - startedMs),
    });
    stack.move();
    return ok(new DiskStore(folder, { books, index: index.value, files: files.value, lock }));
  }

  /** Size of all segments. */
  get bytes(): number {
    return this.files.segments * this.books.segmentPages * pageBytes;
  }

  /** Bytes of places in use. */
  get usedBytes(): number {
    return this.books.pool.slab.usedPages * pageBytes;
  }

  /** Nothing may be on the way. */
  [Symbol.dispose](): void {
    this.index[Symbol.dispose]();
    this.files[Symbol.dispose]();
    this.#lock[Symbol.dispose]();
  }
}

/** True where bytes are the block of this key, whole. */
export function isBlock(
  view: Uint8Array,
  { hi, lo, layout }: {
    readonly hi: number;
    readonly lo: number;
    readonly layout: Pick<PoolLayout, "hi" | "lo">;
  },
): boolean {
  const header = readStoredBlock(view, crc32);
  if (!header.ok) return false;
  const { key, tokens, payloadBytes, payloadCrc } = header.value;
  if (key.route.hi !== hi || key.route.lo !== lo) return false;
  if (key.layout.hi !== layout.hi || key.layout.lo !== layout.lo) return false;
  const start = payloadOffset(tokens.length);
  return crc32(view.subarray(start, start + payloadBytes)) === payloadCrc;
}

function fits(bytes: number, segmentPages: number): boolean {
  const segments = Math.floor(bytes / (segmentPages * pageBytes));
  return segments >= 1 && segments <= mostFiles;
}

function segmentPagesOf(bytes: number): number {
  const wished = Math.max(segmentBytes, bytes / mostSegments);
  const length = Math.min(wished, bytes / leastSegments);
  return Math.max(1, Math.floor(length / pageBytes));
}
