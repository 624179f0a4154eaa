import assert from "node:assert/strict";
import { gunzip } from "./gunzip.ts";

async function gzipOf(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

Deno.test("gunzip() unpacks up to its limit and not a byte more", async () => {
  const bytes = new Uint8Array(1_000_000).fill(7);
  const packed = await gzipOf(bytes);
  const whole = await gunzip(packed, 1_000_000);
  assert.ok(whole.ok);
  assert.deepEqual(whole.value, bytes);
  const bomb = await gunzip(packed, 999_999);
  assert.equal(bomb.ok || bomb.error.code, "artifact_invalid");
});

Deno.test("gunzip() refuses damaged and cut bytes", async () => {
  const packed = await gzipOf(new Uint8Array(1_000).map((_, i) => i * 37));
  const damaged = packed.slice();
  damaged[20] ^= 0xff;
  for (const bytes of [damaged, packed.slice(0, -3), new Uint8Array([1, 2, 3])]) {
    const result = await gunzip(bytes, 10_000);
    assert.equal(result.ok || result.error.code, "artifact_invalid");
  }
});
