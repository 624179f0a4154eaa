import { createHash } from "node:crypto";

/** Bytes read at once. */
const chunkBytes = 4 * 1024 * 1024;

/** What the cache keeps of a file; `modelDigest` of the launcher's model store reads and writes the same. */
interface DigestRecord {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
  readonly sha256: string;
}

/** sha256 of a file, lower-case hex. Reads in large pieces; yields between them. Throws what opening throws. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path, { read: true });
  const buffer = new Uint8Array(chunkBytes);
  while (true) {
    const read = await file.read(buffer);
    if (read === null) return hash.digest("hex");
    hash.update(buffer.subarray(0, read));
  }
}

/**
 * sha256 of a model, remembered in `<cacheFolder>/digests` by (path, size, time of change): gigabytes are hashed once.
 * Without a folder, or with one that cannot be used, it is hashed every time.
 */
export async function modelDigest(path: string, cacheFolder: string): Promise<string> {
  const real = await Deno.realPath(path);
  const stat = await Deno.stat(real);
  const seen = { path: real, bytes: stat.size, modifiedMs: stat.mtime?.getTime() ?? 0 };
  if (cacheFolder === "") return await fileDigest(real);
  const name = createHash("sha256").update(real).digest("hex").slice(0, 32);
  const recordPath = `${cacheFolder}/digests/${name}.json`;
  const known = await readRecord(recordPath);
  const same = known?.path === seen.path && known.bytes === seen.bytes &&
    known.modifiedMs === seen.modifiedMs;
  if (known !== undefined && same) return known.sha256;
  const sha256 = await fileDigest(real);
  await writeRecord(recordPath, { ...seen, sha256 });
  return sha256;
}

async function readRecord(path: string): Promise<DigestRecord | undefined> {
  try {
    const record = JSON.parse(await Deno.readTextFile(path)) as DigestRecord | null;
    return /^[0-9a-f]{64}$/.test(record?.sha256 ?? "") ? record ?? undefined : undefined;
  } catch {
    // Not there, not readable or not JSON: the file is hashed, nothing else.
    return undefined;
  }
}

async function writeRecord(path: string, record: DigestRecord): Promise<void> {
  const part = `${path}.${Deno.pid}.part`;
  try {
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(part, JSON.stringify(record));
    await Deno.rename(part, path);
  } catch {
    // A cache that cannot be written costs one more hash at the next start.
  }
}
