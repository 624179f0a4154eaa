import { fail, limits, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import { Sha256 } from "./digest.ts";

/** First bytes of a snapshot file: what it is, and its version. */
const magic = "pixii router snapshot 1\n";
/** Bytes before the bundle: the magic, and sha256 of the bundle as hex with a line end. */
const headBytes = magic.length + 65;

/** Bytes of a snapshot file around a bundle. */
export function snapshotFileBytes(bundle: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(`${magic}${digestOf(bundle)}\n`);
  const bytes = new Uint8Array(head.length + bundle.length);
  bytes.set(head);
  bytes.set(bundle, head.length);
  return bytes;
}

/** The bundle in a snapshot file; `artifact_invalid` where it is none, is cut or damaged. */
export function bundleInFile(bytes: Uint8Array): Result<Uint8Array> {
  const head = new TextDecoder().decode(bytes.subarray(0, headBytes));
  if (!head.startsWith(magic)) return damaged("it is no snapshot of this version");
  const bundle = bytes.subarray(headBytes);
  const isWhole = head.slice(magic.length) === `${digestOf(bundle)}\n`;
  return isWhole ? ok(bundle) : damaged("its digest is wrong");
}

/** Writes a bundle under a name of its own and then puts it in the place of the last one: a reader sees one or the other. */
export async function writeSnapshotFile(path: string, bundle: Uint8Array): Promise<Result<void>> {
  const fresh = `${path}.new`;
  try {
    const file = await Deno.open(fresh, { write: true, create: true, truncate: true });
    try {
      const bytes = snapshotFileBytes(bundle);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(fresh, path);
    return ok(undefined);
  } catch (error) {
    const { message } = error as Error;
    return fail("internal", `Cannot write the snapshot ${path}: ${message}; see --snapshot-file`);
  }
}

/** The bundle of a snapshot file; `not_found` where there is none, `artifact_invalid` where it is not whole. */
export async function readSnapshotFile(path: string): Promise<Result<Uint8Array>> {
  try {
    const { size } = await Deno.stat(path);
    if (size > limits.assembledBytes + headBytes) return damaged(`it has ${size} bytes`);
    return bundleInFile(await Deno.readFile(path));
  } catch (error) {
    const { message } = error as Error;
    const code = error instanceof Deno.errors.NotFound ? "not_found" : "internal";
    return fail(code, `Cannot read the snapshot ${path}: ${message}; the workers are asked`);
  }
}

function digestOf(bundle: Uint8Array): string {
  const hash = new Sha256();
  hash.update(bundle);
  return hash.hex();
}

function damaged(what: string): Result<never> {
  return fail("artifact_invalid", `Cannot read the snapshot: ${what}; the workers are asked`);
}
