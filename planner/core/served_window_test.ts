import assert from "node:assert/strict";
import { timeBinOf } from "@pixii/wire";
import { ServedWindow } from "./served_window.ts";

Deno.test("ServedWindow.late() is the share of streams beyond each goal, of the last while", () => {
  const window = new ServedWindow(60_000);
  const served = (ttftMs: number, itlMs: number, streams: number) => ({
    ...{ streams, promptTokens: 10, cachedTokens: 0, outputTokens: 10 },
    ttft: [[timeBinOf(ttftMs), streams]] as [number, number][],
    itl: [[timeBinOf(itlMs), streams]] as [number, number][],
  });
  const goal = { ttftMs: 500, itlMs: 50 };
  assert.deepEqual(window.late(0, 15_000, goal), {});
  window.add(served(2_000, 200, 9), 0);
  window.add(served(2_000, 20, 1), 30_000);
  window.add(served(100, 20, 3), 31_000);
  assert.deepEqual(window.late(31_000, 15_000, goal), { lateFirst: 0.25, lateNext: 0 });
  assert.deepEqual(window.late(60_000, 60_000, goal), { lateFirst: 10 / 13, lateNext: 9 / 13 });
});
