import { fail, ok, type Result } from "@pixii/wire";

/** Largest central directory that is read. */
const directoryLimitBytes = 16 << 20;
const endRecordBytes = 22;
const commentLimitBytes = 65_535;

interface Member {
  readonly method: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly headerOffset: number;
}

/**
 * Streams one member of a zip file (stored or deflated) to `sink`. Fails with `artifact_invalid` for a file that is no zip
 * or needs zip64, `not_found` for a missing member.
 */
export async function readZipMember(
  zipPath: string,
  name: string,
  sink: (bytes: Uint8Array) => Promise<void>,
): Promise<Result<void>> {
  using file = await Deno.open(zipPath, { read: true });
  const found = await findMember(file, name);
  if (!found.ok) return found;
  const member = found.value;
  const head = await readAt(file, member.headerOffset, 30);
  if (head === undefined || u32(head, 0) !== 0x04034b50) return damaged(zipPath);
  const start = member.headerOffset + 30 + u16(head, 26) + u16(head, 28);
  const packed = runOfFile(file, start, member.packedBytes);
  const unpacked = member.method === 0
    ? packed
    : packed.pipeThrough(new DecompressionStream("deflate-raw"));
  let bytes = 0;
  try {
    for await (const chunk of unpacked) {
      bytes += chunk.length;
      await sink(chunk);
    }
  } catch (error) {
    if (error instanceof TypeError) return damaged(zipPath);
    throw error;
  }
  return bytes === member.bytes ? ok(undefined) : damaged(zipPath);
}

async function findMember(file: Deno.FsFile, name: string): Promise<Result<Member>> {
  const size = (await file.stat()).size;
  const tailBytes = Math.min(size, endRecordBytes + commentLimitBytes);
  const tail = await readAt(file, size - tailBytes, tailBytes);
  if (tail === undefined) return damaged(name);
  let end = tail.length - endRecordBytes;
  while (end >= 0 && u32(tail, end) !== 0x06054b50) end--;
  if (end < 0) return damaged(name);
  const directoryBytes = u32(tail, end + 12);
  const directoryOffset = u32(tail, end + 16);
  if (directoryOffset === 0xffffffff || directoryBytes > directoryLimitBytes) return damaged(name);
  const directory = await readAt(file, directoryOffset, directoryBytes);
  if (directory === undefined) return damaged(name);
  const decoder = new TextDecoder();
  for (let at = 0; at + 46 <= directory.length && u32(directory, at) === 0x02014b50;) {
    const nameBytes = u16(directory, at + 28);
    const next = at + 46 + nameBytes + u16(directory, at + 30) + u16(directory, at + 32);
    if (decoder.decode(directory.subarray(at + 46, at + 46 + nameBytes)) === name) {
      const method = u16(directory, at + 10);
      const member: Member = {
        method,
        packedBytes: u32(directory, at + 20),
        bytes: u32(directory, at + 24),
        headerOffset: u32(directory, at + 42),
      };
      if ((method !== 0 && method !== 8) || member.bytes === 0xffffffff) return damaged(name);
      return ok(member);
    }
    at = next;
  }
  return fail("not_found", `Cannot unpack ${name}: the package has no such member`);
}

function runOfFile(
  file: Deno.FsFile,
  start: number,
  bytes: number,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      const count = Math.min(bytes - at, 1 << 18);
      if (count === 0) return controller.close();
      const chunk = await readAt(file, start + at, count);
      if (chunk === undefined) return controller.error(new TypeError("the file is cut short"));
      at += count;
      controller.enqueue(chunk);
    },
  });
}

async function readAt(
  file: Deno.FsFile,
  offset: number,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const buffer = new Uint8Array(bytes);
  await file.seek(offset, Deno.SeekMode.Start);
  for (let at = 0; at < bytes;) {
    const count = await file.read(buffer.subarray(at));
    if (count === null) return undefined;
    at += count;
  }
  return buffer;
}

function u16(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8);
}

function u32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;
}

function damaged(what: string): Result<never> {
  return fail("artifact_invalid", `Cannot unpack ${what}: it is not a whole zip file`);
}
