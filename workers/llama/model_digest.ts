import { createHash } from "node:crypto";

/** sha256 of a file, hex. Reads in large pieces; yields between them. */
export async function fileDigest(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path, { read: true });
  const buffer = new Uint8Array(4 * 1024 * 1024);
  while (true) {
    const read = await file.read(buffer);
    if (read === null) return hash.digest("hex");
    hash.update(buffer.subarray(0, read));
  }
}
