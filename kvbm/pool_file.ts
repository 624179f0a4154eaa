import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { namesIn, SharedMemory, startOfProcess, temporaryFolder, unlinkFile } from "@pixii/runtime";
import type { Log } from "@pixii/runtime";

/** Unit of offsets: the system's page, and what unbuffered disk I/O wants later. */
export const pageBytes = 4096;
/** Small pools have at least this many segments. */
const leastSegments = 4;

const namePattern = /^pixii-kv-.+-[0-9a-f]{16}-(\d+)-([0-9a-z]+)\.pool$/;

/** Where pools lie unless a folder is named: memory that is a file. */
export function defaultPoolFolder(): string {
  return Deno.build.os === "linux" ? "/dev/shm" : temporaryFolder();
}

/** A pool's file, mapped. */
export interface PoolFile extends Disposable {
  readonly memory: SharedMemory;
  readonly segments: number;
  readonly segmentPages: number;
}

/** What a pool is made for. */
export interface PoolFileOptions {
  readonly folder: string;
  readonly namespace: string;
  readonly instance: string;
  readonly bytes: number;
  readonly segmentBytes: number;
}

/**
 * Makes the pool's file, named after who owns it, so that a later program can tell whether it is still wanted. Smaller
 * where there is no room for all of it; fails with a sentence where there is none for a segment.
 */
export async function openPoolFile(options: PoolFileOptions): Promise<Result<PoolFile>> {
  if (Deno.build.os === "windows") {
    return fail("unsupported_parameter", "Cannot make a host tier: Windows is not supported yet");
  }
  const { folder, namespace, instance, bytes } = options;
  const start = startOfProcess(Deno.pid) ?? "0";
  const path = `${folder}/pixii-kv-${namespace}-${instance}-${Deno.pid}-${start}.pool`;
  const unitBytes = segmentBytesOf(bytes, options.segmentBytes);
  const made = await SharedMemory.create(path, { bytes, unitBytes });
  if (!made.ok) return made;
  const memory = made.value;
  return ok({
    memory,
    segments: memory.bytes / unitBytes,
    segmentPages: unitBytes / pageBytes,
    [Symbol.dispose]() {
      memory.unlink();
      memory[Symbol.dispose]();
    },
  });
}

/** Segments of the wished size, in whole pages; shorter ones where the pool would have too few. */
function segmentBytesOf(poolBytes: number, wishedBytes: number): number {
  const bytes = Math.min(wishedBytes, poolBytes / leastSegments);
  return Math.max(pageBytes, Math.floor(bytes / pageBytes) * pageBytes);
}

/** Removes the pools of programs that are gone. Answers how many those were. */
export function sweepPools(folder: string, log: Log): number {
  if (Deno.build.os === "windows") return 0;
  let swept = 0;
  for (const name of namesIn(folder)) {
    const match = namePattern.exec(name);
    if (match === null || startOfProcess(Number(match[1])) === match[2]) continue;
    if (!unlinkFile(`${folder}/${name}`)) continue;
    log.info("removed the pool of a program that is gone", { name });
    swept += 1;
  }
  return swept;
}
