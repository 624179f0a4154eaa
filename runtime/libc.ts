/** The few system calls that Deno lacks or keeps from bound programs. Only programs with `--allow-ffi` may load this. */
const symbols = {
  open: { parameters: ["buffer", "i32", "i32"], result: "i32" },
  creat: { parameters: ["buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize", nonblocking: true },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  unlink: { parameters: ["buffer"], result: "i32" },
  kill: { parameters: ["i32", "i32"], result: "i32" },
  mmap: {
    parameters: ["usize", "usize", "i32", "i32", "i32", "i64"],
    result: "pointer",
    nonblocking: true,
  },
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  posix_fallocate: {
    parameters: ["i32", "i64", "i64"],
    result: "i32",
    nonblocking: true,
    optional: true,
  },
  preadv: { parameters: ["i32", "buffer", "i32", "i64"], result: "isize", nonblocking: true },
  pwritev: { parameters: ["i32", "buffer", "i32", "i64"], result: "isize", nonblocking: true },
  fsync: { parameters: ["i32"], result: "i32", nonblocking: true },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  opendir: { parameters: ["buffer"], result: "pointer" },
  readdir: { parameters: ["pointer"], result: "pointer" },
  closedir: { parameters: ["pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** The C library's functions used here. */
export type Libc = Deno.DynamicLibrary<typeof symbols>["symbols"];

const opened: Libc[] = [];

/** The C library; opened once per isolate, never closed. Throws where there is none (Windows) or FFI is not allowed. */
export function libc(): Libc {
  if (opened.length === 0) {
    const name = Deno.build.os === "darwin" ? "libSystem.dylib" : "libc.so.6";
    opened.push(Deno.dlopen(name, symbols).symbols);
  }
  return opened[0];
}

/** Flags of `open` on this system. */
export const openFlags = Deno.build.os === "darwin"
  ? { readOnly: 0, readWrite: 2 | 0x1000000, createNew: 2 | 0x200 | 0x800 | 0x1000000 }
  : { readOnly: 0o2000000, readWrite: 2 | 0o2000000, createNew: 2 | 0o100 | 0o200 | 0o2400000 };

/** Views as C's `struct iovec[]`, for one call that reads or writes all of them. They must live until it is done. */
export function vectorsOf(views: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const words = new BigUint64Array(2 * views.length);
  views.forEach((view, i) => {
    words[2 * i] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(view));
    words[2 * i + 1] = BigInt(view.byteLength);
  });
  return new Uint8Array(words.buffer);
}

/** Bytes whose address is a multiple of `align`, as direct I/O wants it. */
export function alignedBytes(length: number, align: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length + align);
  const address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
  return bytes.subarray(Number(-address & BigInt(align - 1))).subarray(0, length);
}

/** Text as a NUL-terminated C string. */
export function cText(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  const terminated = new Uint8Array(bytes.length + 1);
  terminated.set(bytes);
  return terminated;
}

/** Where a file name begins in a directory entry of Linux, on every architecture. */
const entryNameAt = 19;

/** Names in a folder. Deno's own call asks for all permissions where the folder is a system's (`/dev/shm`). */
export function namesIn(folder: string): string[] {
  if (Deno.build.os !== "linux") return [...Deno.readDirSync(folder)].map((entry) => entry.name);
  const calls = libc();
  const handle = calls.opendir(cText(folder));
  if (handle === null) return [];
  const names: string[] = [];
  for (let entry = calls.readdir(handle); entry !== null; entry = calls.readdir(handle)) {
    names.push(new Deno.UnsafePointerView(entry).getCString(entryNameAt));
  }
  calls.closedir(handle);
  return names.filter((name) => name !== "." && name !== "..");
}

/** Removes a file; true where it was there. */
export function unlinkFile(path: string): boolean {
  return libc().unlink(cText(path)) === 0;
}

/** The first `mostBytes` of a small file as text; `undefined` where it cannot be opened. */
export function readSmallFile(path: string, mostBytes = 4096): string | undefined {
  const calls = libc();
  const fd = calls.open(cText(path), openFlags.readOnly, 0);
  if (fd < 0) return undefined;
  const bytes = new Uint8Array(mostBytes);
  const count = Number(calls.read(fd, bytes, BigInt(mostBytes)));
  calls.close(fd);
  return count < 0 ? undefined : new TextDecoder().decode(bytes.subarray(0, count));
}
