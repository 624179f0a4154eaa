import assert from "node:assert/strict";
import fc from "fast-check";
import { SpareBuffers } from "./spare_buffers.ts";

Deno.test("take() gives room enough, and never a buffer that somebody has", () => {
  const step = fc.oneof(
    fc.record({ take: fc.integer({ min: 0, max: 100_000 }) }),
    fc.record({ give: fc.nat() }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
    const spares = new SpareBuffers();
    const held: Uint8Array[] = [];
    for (const one of steps) {
      if ("take" in one) {
        const buffer = spares.take(one.take);
        assert.ok(buffer.length >= one.take, `${buffer.length} of ${one.take}`);
        assert.ok(!held.includes(buffer));
        held.push(buffer);
      } else if (held.length > 0) spares.give(held.splice(one.give % held.length, 1)[0]);
    }
  }));
});

Deno.test("give() keeps a bounded number, and none of odd sizes", () => {
  const spares = new SpareBuffers();
  const many = Array.from({ length: 100 }, () => spares.take(65_000));
  for (const buffer of many) spares.give(buffer);
  const again = new Set(Array.from({ length: 100 }, () => spares.take(65_000)));
  assert.equal(many.filter((buffer) => again.has(buffer)).length, 64);
  for (const size of [0, 511, 600, 100_000]) {
    const odd = new Uint8Array(size);
    spares.give(odd);
    assert.notEqual(spares.take(size), odd);
  }
});
