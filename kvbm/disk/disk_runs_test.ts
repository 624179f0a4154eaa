import assert from "node:assert/strict";
import fc from "fast-check";
import { diskRuns } from "./disk_runs.ts";

const pageBytes = 4_096;

Deno.test("diskRuns() moves every slot once, in runs that stay within a segment and a call", () => {
  const shape = fc.record({
    slotPages: fc.integer({ min: 1, max: 600 }),
    slotsPerSegment: fc.integer({ min: 1, max: 40 }),
    slots: fc.uniqueArray(fc.nat(200), { maxLength: 120 }),
  });
  fc.assert(fc.property(shape, ({ slotPages, slotsPerSegment, slots }) => {
    const segmentPages = slotPages * slotsPerSegment;
    const pages = slots.map((slot) => slot * slotPages);
    const runs = diskRuns(pages, { slotPages, segmentPages, pageBytes });
    assert.deepEqual(
      runs.flatMap(({ members }) => members).sort((a, b) => a - b),
      pages.map((_, at) => at),
    );
    for (const { page, members } of runs) {
      assert.deepEqual(members.map((at) => pages[at]), members.map((_, i) => page + i * slotPages));
      const last = page + members.length * slotPages - 1;
      assert.equal(Math.floor(page / segmentPages), Math.floor(last / segmentPages));
      assert.ok(members.length === 1 || members.length * slotPages * pageBytes <= 8 << 20);
    }
  }));
});

Deno.test("diskRuns() gives one call no more places than the system takes", () => {
  const pages = Array.from({ length: 2_000 }, (_, at) => at);
  const runs = diskRuns(pages, { slotPages: 1, segmentPages: 16_384, pageBytes });
  assert.deepEqual(runs.map(({ members }) => members.length), [1_024, 976]);
});
