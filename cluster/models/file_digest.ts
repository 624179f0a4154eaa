import { createHash } from "node:crypto";
import { cacheFolder, type Env } from "./cache_folder.ts";

/** Bytes read at once. */
const chunkBytes = 1 << 20;

/** Lower-case hex sha256 of a file. Throws what opening throws, or the signal's reason. */
export async function fileDigest(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await feedFile(path, (bytes) => hash.update(bytes), signal);
  return hash.digest("hex");
}

/** Calls `sink` with every run of bytes of a file, in order. */
export async function feedFile(
  path: string,
  sink: (bytes: Uint8Array) => void,
  signal?: AbortSignal,
): Promise<void> {
  using file = await Deno.open(path, { read: true });
  const buffer = new Uint8Array(chunkBytes);
  for (;;) {
    signal?.throwIfAborted();
    const count = await file.read(buffer);
    if (count === null) return;
    sink(buffer.subarray(0, count));
  }
}

interface DigestRecord {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
  readonly sha256: string;
}

/** sha256 of a file, remembered in the cache by (path, size, time of change): gigabytes are hashed once. */
export async function cachedFileDigest(
  path: string,
  env: Env,
  signal?: AbortSignal,
): Promise<string> {
  const real = await Deno.realPath(path);
  const recordPath = digestRecordPath(real, env);
  const stat = await Deno.stat(real);
  const modifiedMs = stat.mtime?.getTime() ?? 0;
  const known = await readRecord(recordPath);
  if (known?.path === real && known.bytes === stat.size && known.modifiedMs === modifiedMs) {
    return known.sha256;
  }
  const sha256 = await fileDigest(real, signal);
  await rememberFileDigest(real, sha256, env);
  return sha256;
}

/** Remembers a digest that was computed while the file was written. A cache that cannot be written is no error. */
export async function rememberFileDigest(path: string, sha256: string, env: Env): Promise<void> {
  const real = await Deno.realPath(path);
  const stat = await Deno.stat(real);
  const record: DigestRecord = {
    path: real,
    bytes: stat.size,
    modifiedMs: stat.mtime?.getTime() ?? 0,
    sha256,
  };
  const recordPath = digestRecordPath(real, env);
  try {
    await Deno.mkdir(recordPath.slice(0, recordPath.lastIndexOf("/")), { recursive: true });
    const part = `${recordPath}.${Deno.pid}.part`;
    await Deno.writeTextFile(part, JSON.stringify(record));
    await Deno.rename(part, recordPath);
  } catch (error) {
    // A read-only cache costs one more hash at the next start, nothing else.
    if (!isRefusal(error)) throw error;
  }
}

/** Forgets a file's digest; a file that was never remembered is no error. */
export async function forgetFileDigest(path: string, env: Env): Promise<void> {
  await removeIfThere(digestRecordPath(path, env));
}

/** Removes a file; a missing one is no error. True where it was there. */
export async function removeIfThere(path: string): Promise<boolean> {
  try {
    await Deno.remove(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function digestRecordPath(path: string, env: Env): string {
  const name = createHash("sha256").update(path).digest("hex").slice(0, 32);
  return `${cacheFolder(env)}/digests/${name}.json`;
}

async function readRecord(path: string): Promise<DigestRecord | undefined> {
  try {
    const value: unknown = JSON.parse(await Deno.readTextFile(path));
    if (typeof value !== "object" || value === null) return undefined;
    const record = value as Partial<DigestRecord>;
    return /^[0-9a-f]{64}$/.test(record.sha256 ?? "") ? record as DigestRecord : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || isRefusal(error)) return undefined;
    throw error;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.NotCapable ||
    (error instanceof Error && /read-only/i.test(error.message));
}
