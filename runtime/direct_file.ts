import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { alignedBytes, cText, libc, openFlags, vectorsOf } from "./libc.ts";
import { allocatePages } from "./shared_memory.ts";

/** Offsets, lengths and addresses of direct I/O are multiples of this. */
export const directBytes = 4096;
/** Bytes that direct I/O may fill, outside a mapped memory. */
export function directBuffer(length: number): Uint8Array<ArrayBuffer> {
  return alignedBytes(length, directBytes);
}

/** Linux: past the page cache. The number differs by processor. */
const directFlag = Deno.build.os !== "linux"
  ? 0
  : Deno.build.arch === "aarch64"
  ? 0o200000
  : 0o40000;
const createFlag = Deno.build.os === "darwin" ? 0x200 : 0o100;
const lockExclusive = 2;
const lockNoWait = 4;
const seekEnd = 2;

/**
 * A file of fixed size that is read and written in whole pages, past the page cache where the file system allows, off the
 * event loop: the calls run on the platform's blocking threads.
 */
export class DirectFile implements Disposable {
  /** False where the file system takes no direct I/O: then the page cache is used. */
  readonly isDirect: boolean;
  #fd: number;

  private constructor(fd: number, isDirect: boolean) {
    this.#fd = fd;
    this.isDirect = isDirect;
  }

  /**
   * Opens a file, or makes it with all its room allocated. A file of another size is made anew. Fails with `internal`
   * where there is no room for it or the folder cannot be written.
   */
  static async open(path: string, bytes: number): Promise<Result<DirectFile>> {
    const calls = libc();
    const fd = openOrCreate(path);
    if (fd < 0) return fail("internal", `Cannot open ${path}: the folder is missing or not ours`);
    const size = Number(calls.lseek(fd, 0n, seekEnd));
    if (size !== bytes) {
      calls.ftruncate(fd, 0n);
      if (!await allocatePages(fd, bytes)) {
        calls.close(fd);
        calls.unlink(cText(path));
        return fail("internal", `Cannot make ${path}: its file system has no room for it`);
      }
    }
    if (directFlag === 0) return ok(new DirectFile(fd, false));
    const direct = calls.open(cText(path), openFlags.readWrite | directFlag, 0);
    if (direct < 0) return ok(new DirectFile(fd, false));
    calls.close(fd);
    return ok(new DirectFile(direct, true));
  }

  /** Fills the views one after the other from `offset` on; false where the system could not. */
  async read(views: readonly Uint8Array<ArrayBuffer>[], offset: number): Promise<boolean> {
    return await this.#move("preadv", views, offset);
  }

  /** Writes the views one after the other from `offset` on; false where the system could not. */
  async write(views: readonly Uint8Array<ArrayBuffer>[], offset: number): Promise<boolean> {
    return await this.#move("pwritev", views, offset);
  }

  /** What was written outlives the machine's end from here on; false where the system could not. */
  async sync(): Promise<boolean> {
    return await libc().fsync(this.#fd) === 0;
  }

  /** Closes. Nothing may be on the way. */
  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }

  async #move(
    call: "preadv" | "pwritev",
    views: readonly Uint8Array<ArrayBuffer>[],
    offset: number,
  ): Promise<boolean> {
    if (this.#fd < 0) return false;
    let bytes = 0;
    for (const view of views) bytes += view.byteLength;
    const vectors = vectorsOf(views);
    const moved = await libc()[call](this.#fd, vectors, views.length, BigInt(offset));
    // Both are named here, so that the collector leaves them until the system is done with them.
    return Number(moved) === bytes && vectors.length > 0 && views.length > 0;
  }
}

/** A lock on a path that ends with its holder, however that ends. */
export class PathLock implements Disposable {
  #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Takes the lock; `undefined` where another program has it, or the file cannot be made. */
  static take(path: string): PathLock | undefined {
    const fd = openOrCreate(path);
    if (fd < 0) return undefined;
    if (libc().flock(fd, lockExclusive | lockNoWait) === 0) return new PathLock(fd);
    libc().close(fd);
    return undefined;
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return;
    libc().close(this.#fd);
    this.#fd = -1;
  }
}

function openOrCreate(path: string): number {
  const calls = libc();
  const there = calls.open(cText(path), openFlags.readWrite, 0);
  if (there >= 0) return there;
  if (Deno.build.os !== "darwin") {
    return calls.open(cText(path), openFlags.readWrite | createFlag, 0o600);
  }
  // There a variable argument goes another way than FFI sends it, so the mode cannot be given to `open`.
  const fd = calls.creat(cText(path), 0o600);
  if (fd >= 0) calls.close(fd);
  return fd < 0 ? fd : calls.open(cText(path), openFlags.readWrite, 0);
}
