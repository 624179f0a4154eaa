import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteSlab } from "./byte_slab.ts";

Deno.test("ByteSlab gives parts that never share a byte, whatever is asked for", () => {
  const ask = fc.record({
    bytes: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 400_000 })),
    used: fc.double({ min: 0, max: 1, noNaN: true }),
    isTaken: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(ask, { maxLength: 60 }), (asks) => {
    const slab = new ByteSlab();
    const parts: { readonly part: Uint8Array; readonly mark: number }[] = [];
    for (const [index, { bytes, used, isTaken }] of asks.entries()) {
      let part: Uint8Array;
      if (isTaken) part = slab.take(bytes);
      else {
        const room = slab.room(bytes);
        assert.ok(room.length >= bytes);
        part = room.subarray(0, Math.floor(used * room.length));
        slab.use(part.length);
      }
      if (isTaken) {
        assert.equal(part.length, bytes);
        assert.ok(part.every((byte) => byte === 0), "a part that was given before");
      }
      const mark = 1 + index;
      part.fill(mark);
      parts.push({ part, mark });
    }
    for (const { part, mark } of parts) assert.ok(part.every((byte) => byte === mark));
  }));
});

Deno.test("ByteSlab cuts small parts from one piece of memory and gives large ones their own", () => {
  const slab = new ByteSlab();
  const [first, second, large] = [slab.take(100), slab.take(100), slab.take(100_000)];
  assert.equal(first.buffer, second.buffer);
  assert.notEqual(large.buffer, first.buffer);
  assert.equal(large.buffer.byteLength, 100_000);
});
