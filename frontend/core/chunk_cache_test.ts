import assert from "node:assert/strict";
import fc from "fast-check";
import { ChunkCache } from "./chunk_cache.ts";

Deno.test("ChunkCache gives back what was kept or nothing, within its budget", () => {
  const text = fc.nat({ max: 60 }).map((n) => `${n} `.repeat(1 + n * 3));
  const action = fc.record({ text, isGet: fc.boolean() });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const cache = new ChunkCache(8_000);
      for (const { text, isGet } of actions) {
        const ids = cache.get(text);
        if (ids !== undefined) assert.deepEqual([...ids], [text.length]);
        else if (!isGet) cache.set(text, Uint32Array.of(text.length));
        assert.deepEqual(cache.checkIntegrity(), []);
      }
    }),
  );
});

Deno.test("ChunkCache keeps what is used and forgets what is not", () => {
  const cache = new ChunkCache(16_000);
  cache.set("used", Uint32Array.of(1));
  cache.set("unused", Uint32Array.of(2));
  for (let i = 0; i < 200; i++) {
    cache.set(`other ${i}`, Uint32Array.of(i));
    assert.deepEqual(cache.get("used"), Uint32Array.of(1));
  }
  assert.equal(cache.get("unused"), undefined);
  assert.ok(cache.bytes <= 16_000);
});

Deno.test("ChunkCache leaves out what is over half its budget", () => {
  const cache = new ChunkCache(1_000);
  cache.set("x".repeat(600), Uint32Array.of(1));
  assert.equal(cache.bytes, 0);
});

Deno.test("wasSeen() knows what came before", () => {
  const cache = new ChunkCache(1_000);
  assert.equal(cache.wasSeen(12_345), false);
  assert.equal(cache.wasSeen(99), false);
  assert.equal(cache.wasSeen(12_345), true);
  assert.equal(cache.wasSeen(99), true);
});
