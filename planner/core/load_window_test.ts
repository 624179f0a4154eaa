import assert from "node:assert/strict";
import fc from "fast-check";
import { workerRankText } from "@pixii/wire";
import type { InstanceId, LoadReport, ModelHash } from "@pixii/wire";
import { LoadWindow, sumLoads } from "./load_window.ts";

function reportOf(worker: number, more: Partial<LoadReport> = {}): LoadReport {
  return {
    instance: worker.toString(16).padStart(16, "0") as InstanceId,
    dpRank: 0,
    model: "00000000000000aa" as ModelHash,
    role: "both",
    draining: false,
    running: 1,
    waiting: 2,
    maxSeqs: 8,
    prefillTokens: 100,
    activeBlocks: 3,
    cachedBlocks: 4,
    totalBlocks: 128,
    stepCount: 0,
    stepAgeMs: 0,
    kvEventNumber: 0,
    activeStreams: 0,
    activeDigestHi: 0,
    activeDigestLo: 0,
    prefillRate: 0,
    decodeRate: 0,
    ...more,
  };
}

Deno.test("LoadWindow keeps the latest report of each rank", () => {
  const window = new LoadWindow();
  window.put(reportOf(2), 0);
  window.put(reportOf(1), 1);
  window.put(reportOf(1, { dpRank: 1, running: 5 }), 2);
  window.put(reportOf(2, { running: 7 }), 3);
  const workers = window.workers(3);
  assert.deepEqual(workers.map(({ report, ageMs }) => [report.running, ageMs]), [[1, 2], [5, 1], [
    7,
    0,
  ]]);
  window.checkIntegrity();
});

Deno.test("LoadWindow calls a report stale after 3 periods and forgets a dead rank", () => {
  const window = new LoadWindow();
  window.put(reportOf(1), 0);
  assert.equal(window.workers(750)[0].stale, false);
  assert.equal(window.workers(751)[0].stale, true);
  window.forgetDead(3_000);
  assert.equal(window.workers(3_000).length, 1);
  window.forgetDead(3_001);
  assert.equal(window.workers(3_001).length, 0);
});

Deno.test("sumLoads() counts fresh ranks of the role only", () => {
  const window = new LoadWindow();
  window.put(reportOf(1, { running: 100 }), 0);
  window.put(reportOf(2), 1_000);
  window.put(reportOf(3, { running: 3 }), 1_000);
  window.put(reportOf(4, { role: "decode" }), 1_000);
  const workers = window.workers(1_000);
  assert.deepEqual(sumLoads(workers, "both"), {
    ranks: 2,
    running: 4,
    waiting: 4,
    maxSeqs: 16,
    prefillTokens: 200,
    activeBlocks: 6,
    totalBlocks: 256,
  });
  assert.equal(sumLoads(workers, "decode").ranks, 1);
  assert.equal(sumLoads(workers, "prefill").ranks, 0);
});

Deno.test("LoadWindow agrees with a plain map under any order of reports", () => {
  const step = fc.record({
    worker: fc.nat(5),
    dpRank: fc.nat(2),
    waitMs: fc.nat(900),
    running: fc.nat(9),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const window = new LoadWindow();
    const oracle = new Map<string, readonly [number, number]>();
    let nowMs = 0;
    for (const { worker, dpRank, waitMs, running } of steps) {
      nowMs += waitMs;
      const report = reportOf(worker, { dpRank, running });
      window.put(report, nowMs);
      window.forgetDead(nowMs);
      oracle.set(workerRankText(report), [running, nowMs]);
      window.checkIntegrity();
    }
    const wanted = [...oracle].filter(([, [, seenMs]]) => nowMs - seenMs <= 3_000).sort()
      .map(([key, [running, seenMs]]) => [key, running, nowMs - seenMs > 750]);
    const got = window.workers(nowMs)
      .map(({ report, stale }) => [workerRankText(report), report.running, stale]);
    assert.deepEqual(got, wanted);
    const stale = wanted.filter(([, , isStale]) => isStale).length;
    assert.deepEqual(window.count(nowMs), { ranks: wanted.length, stale });
  }));
});
