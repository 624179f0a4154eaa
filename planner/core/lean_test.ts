import assert from "node:assert/strict";
import fc from "fast-check";
import type { InstanceId, LoadReport, ModelHash } from "@pixii/wire";
import { leanOf, pressureOf } from "./lean.ts";
import type { Pressure } from "./lean.ts";
import type { WorkerLoad } from "./load_window.ts";

function load(more: Partial<LoadReport>, stale = false): WorkerLoad {
  const report: LoadReport = {
    ...{ instance: "00000000000000a1" as InstanceId, dpRank: 0, role: "both", draining: false },
    ...{ model: "00000000000000aa" as ModelHash, running: 0, waiting: 0, maxSeqs: 8 },
    ...{ prefillTokens: 0, activeBlocks: 0, cachedBlocks: 0, totalBlocks: 100, stepCount: 0 },
    ...{ stepAgeMs: 0, kvEventNumber: 0, activeStreams: 0, activeDigestHi: 0, activeDigestLo: 0 },
    ...{ prefillRate: 200, decodeRate: 100 },
    ...more,
  };
  return { report, stale, ageMs: 0 };
}

Deno.test("pressureOf() sums fresh workers that take work, and no others", () => {
  const workers = [
    load({ running: 4, waiting: 3, prefillTokens: 800, activeBlocks: 50 }),
    load({ running: 8, prefillTokens: 0 }),
    load({ running: 8, prefillTokens: 99_999 }, true),
    load({ running: 8, prefillTokens: 99_999, draining: true }),
  ];
  assert.deepEqual(pressureOf(workers), {
    prefillBacklogSeconds: 2,
    batchShare: 0.75,
    blockShare: 0.25,
    waitingPerRank: 1.5,
  });
  assert.deepEqual(pressureOf([]), {
    prefillBacklogSeconds: 0,
    batchShare: 0,
    blockShare: 0,
    waitingPerRank: 0,
  });
});

Deno.test("leanOf() points to the phase that is pressed, and says why", () => {
  const calm: Pressure = {
    prefillBacklogSeconds: 0,
    batchShare: 0.5,
    blockShare: 0.1,
    waitingPerRank: 0,
  };
  const directions = [
    [calm, "steady"],
    [{ ...calm, prefillBacklogSeconds: 3 }, "prefill"],
    [{ ...calm, batchShare: 0.9 }, "decode"],
    [{ ...calm, blockShare: 0.99 }, "decode"],
    [{ ...calm, prefillBacklogSeconds: 3, batchShare: 1 }, "grow"],
    [{ ...calm, batchShare: 0.1 }, "shrink"],
    [{ ...calm, batchShare: 0.1, waitingPerRank: 1 }, "steady"],
  ] as const;
  for (const [pressure, direction] of directions) {
    const lean = leanOf(pressure);
    assert.equal(lean.direction, direction, lean.reason);
    assert.ok(lean.reason.length > 10);
  }
  assert.match(leanOf({ ...calm, blockShare: 0.99 }).reason, /99 % of KV blocks are taken/);
});

Deno.test("leanOf() never turns towards less prefill because more waits", () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(share, share, fc.double({ min: 0, max: 100, noNaN: true }), (batch, block, s) => {
      const at = (prefillBacklogSeconds: number) =>
        leanOf({ prefillBacklogSeconds, batchShare: batch, blockShare: block, waitingPerRank: 0 });
      const presses = (one: string) => one === "prefill" || one === "grow";
      if (presses(at(s).direction)) assert.ok(presses(at(s + 1).direction));
    }),
  );
});
