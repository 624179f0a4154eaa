import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { cText, libc, openFlags, unlinkFile } from "./libc.ts";

const protectReadWrite = 3;
const mapShared = 1;
/** Linux: the page table is filled at once, so that the first touch of a page costs no fault. */
const mapPopulate = 0x8000;
const seekEnd = 2;
/** Memories up to this size get one view of the whole, of which others are parts: 50 ns instead of 6 us each. */
const mostWholeView = 2 ** 32;
/** Part of what was found free that a smaller pool takes: others use the file system too. */
const shareOfFree = 7 / 8;

/**
 * A file that several processes map: what one writes the others read, without a copy. Each isolate maps it for itself.
 * A mapping is no SharedArrayBuffer: order comes from messages, never from the memory.
 */
export class SharedMemory implements Disposable {
  readonly path: string;
  readonly bytes: number;
  #address: bigint;
  #whole: ArrayBuffer | undefined;

  private constructor(address: bigint, file: { readonly path: string; readonly bytes: number }) {
    this.path = file.path;
    this.bytes = file.bytes;
    this.#address = address;
  }

  /**
   * Makes a new file with all its pages allocated and maps it: a file system that runs full later would kill whoever
   * touches a missing page. Takes what is there, in whole `unitBytes`, where `bytes` are not to be had; fails where not
   * even one unit is.
   */
  static async create(
    path: string,
    options: { readonly bytes: number; readonly unitBytes: number },
  ): Promise<Result<SharedMemory>> {
    const { unitBytes } = options;
    const fd = createFile(path);
    if (fd < 0) {
      return fail("internal", `Cannot make ${path}: the folder is missing or not writable`);
    }
    const wanted = Math.floor(options.bytes / unitBytes);
    const units = await unitsToTake(wanted, (count) => allocatePages(fd, count * unitBytes));
    libc().ftruncate(fd, BigInt(units * unitBytes));
    libc().close(fd);
    if (units === 0) {
      unlinkFile(path);
      return fail("internal", `Cannot make ${path}: its file system has no room; free some`);
    }
    const mapped = await SharedMemory.open(path, units * unitBytes);
    if (!mapped.ok) unlinkFile(path);
    return mapped;
  }

  /**
   * Maps the first `bytes` of a file that has at least as many. `populate`: fills the page table, so that no first touch
   * of a page costs a fault (1.8 us each where that was measured: six times the copy itself). Off the event loop.
   */
  static async open(
    path: string,
    bytes: number,
    options: { readonly populate?: boolean } = {},
  ): Promise<Result<SharedMemory>> {
    const calls = libc();
    const fd = calls.open(cText(path), openFlags.readWrite, 0);
    if (fd < 0) return fail("not_found", `Cannot map ${path}: it is gone or not ours`);
    const size = Number(calls.lseek(fd, 0n, seekEnd));
    if (size < bytes) {
      calls.close(fd);
      return fail("internal", `Cannot map ${path}: it has ${size} bytes, ${bytes} were promised`);
    }
    const isLinux = Deno.build.os === "linux";
    const flags = mapShared | (options.populate && isLinux ? mapPopulate : 0);
    const base = await calls.mmap(0n, BigInt(bytes), protectReadWrite, flags, fd, 0n);
    calls.close(fd);
    if (base === null || Deno.UnsafePointer.value(base) === 0xffffffffffffffffn) {
      return fail("internal", `Cannot map ${path}: the system has no room for ${bytes} bytes`);
    }
    return ok(new SharedMemory(Deno.UnsafePointer.value(base), { path, bytes }));
  }

  /** The mapping that another isolate of this process made and keeps. This one must be forgotten before that is disposed. */
  static at(mapped: { address: bigint; path: string; bytes: number }): SharedMemory {
    return new SharedMemory(mapped.address, mapped);
  }

  /** Where it is mapped, for other isolates of this process. */
  get address(): bigint {
    return this.#mapped();
  }

  /** Bytes [offset, offset + length). Must not be used after this is disposed: that kills the process. */
  view(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const pointer = this.pointer(offset, length);
    if (this.bytes > mostWholeView) {
      return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, length));
    }
    this.#whole ??= Deno.UnsafePointerView.getArrayBuffer(this.pointer(0, 0), this.bytes);
    return new Uint8Array(this.#whole, offset, length);
  }

  /** Where bytes [offset, offset + length) are, for native code. */
  pointer(offset: number, length: number): Deno.PointerObject {
    const address = this.#mapped();
    if (!(offset >= 0 && length >= 0 && offset + length <= this.bytes)) {
      throw new RangeError(`bytes ${offset} to ${offset + length} are not in the memory`);
    }
    return Deno.UnsafePointer.create(address + BigInt(offset))!;
  }

  /** Takes the name away: the memory lives until the last process unmaps it. True where it was there. */
  unlink(): boolean {
    return unlinkFile(this.path);
  }

  /** Unmaps. No view of it may be in use, in any isolate. */
  [Symbol.dispose](): void {
    if (this.#address === 0n) return;
    const base = Deno.UnsafePointer.create(this.#address)!;
    this.#address = 0n;
    this.#whole = undefined;
    libc().munmap(base, BigInt(this.bytes));
  }

  #mapped(): bigint {
    if (this.#address === 0n) throw new Error("the memory is unmapped");
    return this.#address;
  }
}

function createFile(path: string): number {
  const calls = libc();
  if (Deno.build.os === "linux") return calls.open(cText(path), openFlags.createNew, 0o600);
  // There a variable argument goes another way than FFI sends it, so the mode cannot be given to `open`.
  const fd = calls.creat(cText(path), 0o600);
  if (fd >= 0) calls.close(fd);
  return fd < 0 ? fd : calls.open(cText(path), openFlags.readWrite, 0);
}

/**
 * How many units to take: all that are wanted where they fit, else a share of the most that fit. `fits` may be asked
 * again for more or fewer.
 */
export async function unitsToTake(
  wanted: number,
  fits: (units: number) => Promise<boolean>,
): Promise<number> {
  if (wanted === 0 || await fits(wanted)) return wanted;
  let most = 0;
  for (let over = wanted; over - most > 1;) {
    const middle = Math.floor((most + over) / 2);
    if (await fits(middle)) most = middle;
    else over = middle;
  }
  return most <= 1 ? most : Math.max(1, Math.floor(most * shareOfFree));
}

/** True where the file's first `bytes` have their pages. */
export async function allocatePages(fd: number, bytes: number): Promise<boolean> {
  const { posix_fallocate, pwrite } = libc();
  if (posix_fallocate !== null) return await posix_fallocate(fd, 0n, BigInt(bytes)) === 0;
  const zeros = new Uint8Array(1024 * 1024);
  for (let at = 0; at < bytes;) {
    const length = Math.min(zeros.length, bytes - at);
    const written = Number(await pwrite(fd, zeros, BigInt(length), BigInt(at)));
    if (written <= 0) return false;
    at += written;
  }
  return true;
}
