import assert from "node:assert/strict";
import { timeBinOf } from "@pixii/wire";
import type { ModelHash } from "@pixii/wire";
import { DemandCount } from "./demand_count.ts";

const a = "00000000000000aa" as ModelHash;
const b = "00000000000000bb" as ModelHash;

Deno.test("DemandCount counts by model and begins anew with each report", () => {
  const count = new DemandCount();
  count.booked(a, 100);
  count.booked(a, 28);
  count.firstToken(a, 40);
  count.booked(b, 5);
  count.completed(b);
  assert.deepEqual(count.take(), [
    { model: a, booked: 2, prefillTokens: 128, completed: 0, firstTokens: 1, ttftSumMs: 40 },
    { model: b, booked: 1, prefillTokens: 5, completed: 1, firstTokens: 0, ttftSumMs: 0 },
  ]);
  count.completed(a);
  assert.equal(count.take()[0].completed, 1);
  assert.deepEqual(count.take(), []);
});

Deno.test("DemandCount counts 1,024 models of one report and no more", () => {
  const count = new DemandCount();
  for (let i = 0; i < 1_030; i++) count.booked(i.toString(16).padStart(16, "0") as ModelHash, 1);
  assert.equal(count.take().length, 1_024);
});

Deno.test("DemandCount tells what the served streams were like, once", () => {
  const count = new DemandCount();
  const stream = { promptTokens: 100, cachedTokens: 64, ttftMs: 40, decodeMs: 90 };
  count.served(a, { ...stream, outputTokens: 10 });
  count.served(a, { ...stream, outputTokens: 1 });
  const [{ served }] = count.take();
  assert.deepEqual(served, {
    ...{ streams: 2, promptTokens: 200, cachedTokens: 128, outputTokens: 11 },
    ttft: [[timeBinOf(40), 2]],
    // One token has no time between two.
    itl: [[timeBinOf(10), 1]],
  });
  count.completed(a);
  assert.equal(count.take()[0].served, undefined);
});
