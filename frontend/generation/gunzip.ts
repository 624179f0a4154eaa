import { fail, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";

/** Unpacks gzip; `artifact_invalid` where it is damaged or unpacks to more than `mostBytes`. */
export async function gunzip(bytes: Uint8Array, mostBytes: number): Promise<Result<Uint8Array>> {
  const source = new Blob([bytes as BlobPart]).stream();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    // Leaving the loop cancels the stream: a bomb is unpacked no further than its limit.
    for await (const chunk of source.pipeThrough(new DecompressionStream("gzip"))) {
      size += chunk.length;
      if (size > mostBytes) {
        return fail("artifact_invalid", `Cannot unpack the artifact: over ${mostBytes} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    return fail("artifact_invalid", `Cannot unpack the artifact: ${(error as Error).message}`);
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return ok(whole);
}
