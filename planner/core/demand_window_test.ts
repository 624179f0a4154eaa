import assert from "node:assert/strict";
import fc from "fast-check";
import { DemandWindow } from "./demand_window.ts";
import type { DemandCounts } from "./demand_window.ts";

const none: DemandCounts = {
  ...{ booked: 0, prefillTokens: 0, completed: 0, firstTokens: 0, ttftSumMs: 0 },
};

Deno.test("DemandWindow.demand() gives rates over the window and the mean time to first token", () => {
  const window = new DemandWindow(10);
  for (let second = 0; second < 20; second++) {
    const counts = { booked: 3, prefillTokens: 300, completed: 1, firstTokens: 2, ttftSumMs: 500 };
    window.add(counts, 1000 * second);
  }
  assert.deepEqual(window.demand(19_900), {
    requestRate: 3,
    completionRate: 1,
    prefillTokenRate: 300,
    ttftMs: 250,
  });
});

Deno.test("DemandWindow.demand() is zero, without a time to first token, when the window has passed", () => {
  const window = new DemandWindow(5);
  window.add({ ...none, booked: 1, prefillTokens: 100 }, 0);
  assert.deepEqual(window.demand(60_000), {
    requestRate: 0,
    completionRate: 0,
    prefillTokenRate: 0,
    ttftMs: undefined,
  });
});

Deno.test("DemandWindow sums what a list of reports of its last whole seconds sums to, at any times", () => {
  const report = fc.record({ afterMs: fc.nat(3_000), booked: fc.nat(9), completed: fc.nat(9) });
  fc.assert(
    fc.property(fc.array(report, { maxLength: 60 }), (reports) => {
      const window = new DemandWindow(11);
      let nowMs = 0;
      const seen = reports.map(({ afterMs, ...counts }) => {
        nowMs += afterMs;
        window.add({ ...none, ...counts }, nowMs);
        return { second: Math.floor(nowMs / 1000), ...counts };
      });
      const lastWhole = Math.floor(nowMs / 1000) - 1;
      const firstMs = reports.length === 0 ? 0 : reports[0].afterMs - 1_000;
      const seconds = Math.max(1, Math.min(10, (nowMs - 1_000 - firstMs) / 1000));
      const recent = seen.filter(({ second }) => second > lastWhole - 10 && second <= lastWhole);
      const rate = (name: "booked" | "completed") =>
        recent.reduce((sum, one) => sum + one[name], 0) / seconds;
      const { requestRate, completionRate } = window.demand(nowMs);
      assert.deepEqual([requestRate, completionRate], [rate("booked"), rate("completed")]);
    }),
  );
});

Deno.test("DemandWindow.demand() counts a report a second whole, whenever in the second it comes and is asked for", () => {
  const counts = { booked: 3, completed: 0, prefillTokens: 30, firstTokens: 0, ttftSumMs: 0 };
  for (const seconds of [1, 5]) {
    for (const reportAtMs of [50, 500, 950]) {
      for (const askedAtMs of [0, 400, 990]) {
        const window = new DemandWindow(1 + seconds);
        for (let second = 0; second <= 20; second++) {
          const isReported = second < 20 || reportAtMs <= askedAtMs;
          if (isReported) window.add(counts, second * 1000 + reportAtMs);
        }
        assert.equal(window.demand(20_000 + askedAtMs).requestRate, 3);
      }
    }
  }
});
