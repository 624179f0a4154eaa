import assert from "node:assert/strict";
import { WorkerTimes } from "@pixii/wire";
import { liveRequests, liveShift, shareWithin } from "./planner_live_load.ts";

const times = new WorkerTimes({
  ...{ version: 1, model: "m", modelDigest: "ab".repeat(32), engine: "llama", engineVersion: "1" },
  ...{ machine: "a machine", measuredAt: "2026-01-01T00:00:00Z", about: "", blockSize: 64 },
  prefill: { newTokens: [0, 256], contextTokens: [0], ms: [[0], [1000]] },
  decode: { sequences: [1, 4], contextTokens: [0], ms: [[20], [50]] },
  onboardBlockMs: {},
});
const sizes = { longPrompt: 256, shortOutput: 8, shortPrompt: 32, longOutput: 100, maxSeqs: 4 };

Deno.test("liveShift() asks more than one worker can of each job, and less than two can", () => {
  const { first, then, goal } = liveShift(times, sizes);
  assert.equal(first.perSecond, 1.2);
  // 5 answers at a time of 100 tokens, 50 ms each.
  assert.equal(then.perSecond, 1);
  assert.deepEqual(goal, { ttftMs: 3_500, itlMs: 110.00000000000001 });
});

Deno.test("liveRequests() shifts at its time, at its rates, the same for every run", () => {
  const shift = liveShift(times, sizes);
  const when = { shiftMs: 10_000, endMs: 30_000, seed: 3 };
  const requests = liveRequests(shift, when);
  assert.deepEqual(requests, liveRequests(shift, when));
  const first = requests.filter(({ promptTokens }) => promptTokens === 256);
  assert.deepEqual([first.length, requests.length - first.length], [12, 20]);
  assert.ok(first.every(({ atMs, outputTokens }) => atMs < 10_300 && outputTokens === 8));
  assert.ok(requests.slice(12).every(({ atMs }) => atMs >= 10_000 && atMs < 30_400));
});

Deno.test("shareWithin() counts what failed, was late or never ended as not served", () => {
  const goal = { ttftMs: 100, itlMs: 10 };
  const outcomes = [
    { atMs: 0, ttftMs: 90, itlMs: 9 },
    { atMs: 1, ttftMs: 90, itlMs: 11 },
    { atMs: 2, ttftMs: 110, itlMs: 9 },
    { atMs: 3 },
    { atMs: 4, ttftMs: 90, itlMs: 9, failure: "503" },
    { atMs: 5, ttftMs: 90, itlMs: 9 },
  ];
  assert.equal(shareWithin(outcomes, goal, { from: 0, to: 5 }), 0.2);
  assert.equal(shareWithin(outcomes, goal, { from: 5, to: 6 }), 1);
});
