import assert from "node:assert/strict";
import { VirtualClock } from "./clock_virtual.ts";
import { v8Heap } from "./heap.ts";
import { keepHeap, lookEveryMs } from "./heap_keeper.ts";
import { recordingLog } from "./log_recording.ts";
import type { LoggedLine } from "./log_recording.ts";
import { RestRule } from "./rest_rule.ts";

const mb = 1024 * 1024;

Deno.test("RestRule asks for a collection once the program rests and much is held", () => {
  const rule = new RestRule();
  assert.equal(rule.look({ heldBytes: 200 * mb, usedBytes: 90 * mb }), false);
  assert.equal(rule.look({ heldBytes: 200 * mb, usedBytes: 120 * mb }), false, "it works");
  assert.equal(rule.look({ heldBytes: 200 * mb, usedBytes: 121 * mb }), false, "one look");
  assert.equal(rule.look({ heldBytes: 200 * mb, usedBytes: 122 * mb }), true);
  rule.collected({ heldBytes: 40 * mb, usedBytes: 30 * mb });
  for (let look = 0; look < 10; look++) {
    assert.equal(rule.look({ heldBytes: 80 * mb, usedBytes: 30 * mb }), false, "not worth it");
  }
  assert.equal(rule.look({ heldBytes: 88 * mb, usedBytes: 30 * mb }), true);
});

Deno.test("RestRule: a collection by V8 itself is no rest", () => {
  const rule = new RestRule();
  for (let look = 0; look < 20; look++) {
    const usedBytes = (look % 2 === 0 ? 90 : 40) * mb;
    assert.equal(rule.look({ heldBytes: 200 * mb, usedBytes }), false);
  }
});

Deno.test("keepHeap() collects when the thread rests, and no more once disposed", async () => {
  const clock = new VirtualClock();
  let heldBytes = 300 * mb;
  const lines: LoggedLine[] = [];
  const heap = {
    size: () => ({ heldBytes, usedBytes: 20 * mb }),
    collect: () => void (heldBytes = 30 * mb),
  };
  const keeper = keepHeap({ clock, heap, log: recordingLog("test", lines) });
  await clock.advance(3 * lookEveryMs);
  assert.deepEqual(lines.map(({ fields }) => fields), [
    { heldBytes: 300 * mb, keptBytes: 30 * mb },
  ]);
  await clock.advance(10 * lookEveryMs);
  assert.equal(lines.length, 1);
  keeper[Symbol.dispose]();
  heldBytes = 300 * mb;
  await clock.advance(10 * lookEveryMs);
  assert.equal(lines.length, 1);
});

Deno.test("v8Heap() gives back the pages of garbage, in the main thread's heap", () => {
  const heap = v8Heap();
  heap.collect();
  const atFirst = heap.size();
  let rows: number[][] = Array.from({ length: 100 }, (_, i) => new Array(100_000).fill(i));
  const grown = heap.size();
  assert.ok(grown.usedBytes > atFirst.usedBytes + 30 * mb, JSON.stringify([atFirst, grown]));
  rows = [];
  heap.collect();
  const after = heap.size();
  assert.ok(
    after.heldBytes < grown.heldBytes - 30 * mb,
    JSON.stringify([grown, after, rows.length]),
  );
});
