import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { DirectFile, namesIn } from "@pixii/runtime";
import { pageBytes } from "../pool_file.ts";

/** Part of the segments just made that is given back where the disk has no room for all: others use it too. */
const shareGivenBack = 1 / 8;

/** Which files to open. */
export interface SegmentPlan {
  readonly folder: string;
  readonly segments: number;
  readonly segmentPages: number;
}

/** The preallocated files that blocks lie in. Pages count through all of them. */
export class SegmentFiles implements Disposable {
  readonly segmentPages: number;
  readonly #files: readonly DirectFile[];

  private constructor(files: readonly DirectFile[], segmentPages: number) {
    this.#files = files;
    this.segmentPages = segmentPages;
  }

  /**
   * Opens those that are there and makes the rest, fewer where the disk has no room for all; removes those of an earlier,
   * larger tier. Fails where there is no room for one.
   */
  static async open(plan: SegmentPlan): Promise<Result<SegmentFiles>> {
    const { folder, segments, segmentPages } = plan;
    const there = new Set(namesIn(folder));
    const files: DirectFile[] = [];
    const made: number[] = [];
    for (let at = 0; at < segments; at++) {
      const opened = await DirectFile.open(`${folder}/${nameOf(at)}`, segmentPages * pageBytes);
      if (opened.ok) {
        files.push(opened.value);
        if (!there.has(nameOf(at))) made.push(at);
        continue;
      }
      if (files.length === 0) return opened;
      for (let back = Math.floor(made.length * shareGivenBack); back > 0; back--) {
        files.pop()![Symbol.dispose]();
      }
      break;
    }
    if (files.length === 0) return fail("internal", `Cannot keep blocks in ${folder}: no segment`);
    await removeFrom(folder, files.length);
    return ok(new SegmentFiles(files, segmentPages));
  }

  /** Segments that are there. */
  get segments(): number {
    return this.#files.length;
  }

  /** False where the file system takes no direct I/O. */
  get isDirect(): boolean {
    return this.#files[0].isDirect;
  }

  /** Fills views with what begins at a page; they must not reach over the segment's end. False where that failed. */
  read(page: number, views: readonly Uint8Array<ArrayBuffer>[]): Promise<boolean> {
    const { file, offset } = this.#at(page);
    return file.read(views, offset);
  }

  /** Writes views from a page on; they must not reach over the segment's end. False where that failed. */
  write(page: number, views: readonly Uint8Array<ArrayBuffer>[]): Promise<boolean> {
    const { file, offset } = this.#at(page);
    return file.write(views, offset);
  }

  /** What was written to the segments of these pages outlives the machine's end. */
  async sync(pages: Iterable<number>): Promise<boolean> {
    const files = new Set([...pages].map((page) => this.#at(page).file));
    const done = await Promise.all([...files].map((file) => file.sync()));
    return !done.includes(false);
  }

  /** Nothing may be on the way. */
  [Symbol.dispose](): void {
    for (const file of this.#files) file[Symbol.dispose]();
  }

  #at(page: number): { readonly file: DirectFile; readonly offset: number } {
    const segment = Math.floor(page / this.segmentPages);
    return {
      file: this.#files[segment],
      offset: (page - segment * this.segmentPages) * pageBytes,
    };
  }
}

const namePattern = /^segment-(\d{5})\.kv$/;

function nameOf(segment: number): string {
  return `segment-${String(segment).padStart(5, "0")}.kv`;
}

async function removeFrom(folder: string, segments: number): Promise<void> {
  for (const name of namesIn(folder)) {
    const match = namePattern.exec(name);
    if (match !== null && Number(match[1]) >= segments) await Deno.remove(`${folder}/${name}`);
  }
}
