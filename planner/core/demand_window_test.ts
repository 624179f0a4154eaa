import assert from "node:assert/strict";
import fc from "fast-check";
import type { InstanceId, LedgerEntry, ModelHash, RequestId } from "@pixii/wire";
import { DemandWindow } from "./demand_window.ts";

const key = (n: number) => ({
  requestId: n.toString(16).padStart(32, "0") as RequestId,
  attempt: 0,
  leg: 0,
});

function book(n: number, prefillTokens = 100): LedgerEntry {
  return {
    ...{ op: "book", ...key(n), model: "00000000000000aa" as ModelHash, prefillTokens, blocks: 1 },
    ...{ worker: { instance: "00000000000000a1" as InstanceId, dpRank: 0 } },
    frontend: "00000000000000f1" as InstanceId,
  };
}

Deno.test("DemandWindow.demand() gives rates over the window and the mean time to first token", () => {
  const window = new DemandWindow(10);
  for (let second = 0; second < 20; second++) {
    for (let i = 0; i < 3; i++) window.apply(book(3 * second + i), 1000 * second);
    window.apply({ op: "first-token", ...key(3 * second) }, 1000 * second + 250);
    window.apply({ op: "complete", ...key(3 * second) }, 1000 * second + 500);
  }
  const demand = window.demand(19_900);
  assert.deepEqual(demand, {
    requestRate: 3,
    completionRate: 1,
    prefillTokenRate: 300,
    ttftMs: 250,
  });
  assert.equal(window.open, 40);
  window.checkIntegrity();
});

Deno.test("DemandWindow.demand() is zero, without a time to first token, when the window has passed", () => {
  const window = new DemandWindow(5);
  window.apply(book(1), 0);
  assert.deepEqual(window.demand(60_000), {
    requestRate: 0,
    completionRate: 0,
    prefillTokenRate: 0,
    ttftMs: undefined,
  });
});

Deno.test("DemandWindow.apply() counts every fact once, whatever is told twice or out of turn", () => {
  const fact = fc.record({
    op: fc.constantFrom("book", "first-token", "complete" as const),
    n: fc.nat(5),
  });
  fc.assert(
    fc.property(fc.array(fact, { maxLength: 60 }), (facts) => {
      const window = new DemandWindow(10);
      const open = new Set<number>();
      let booked = 0;
      let completed = 0;
      for (const { op, n } of facts) {
        window.apply(op === "book" ? book(n) : { op, ...key(n) } as LedgerEntry, 500);
        if (op === "book" && !open.has(n)) booked += open.add(n).size > 0 ? 1 : 0;
        if (op === "complete" && open.delete(n)) completed += 1;
      }
      assert.equal(window.demand(500).requestRate, booked);
      assert.equal(window.demand(500).completionRate, completed);
      assert.equal(window.open, open.size);
      window.checkIntegrity();
    }),
  );
});
