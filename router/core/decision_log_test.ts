import assert from "node:assert/strict";
import { requestOf } from "../testing/samples.ts";
import { DecisionLog } from "./decision_log.ts";
import type { KeptDecision } from "./decision_log.ts";

const decisionOf = (number: number) =>
  ({ record: { requestId: requestOf(number % 2), atMs: number } }) as KeptDecision;

Deno.test("latest() shows the newest first, of all or of one request", () => {
  const log = new DecisionLog(4);
  assert.deepEqual(log.latest(10), []);
  for (let i = 0; i < 6; i++) {
    log.push(decisionOf(i));
    assert.equal(log.latest(1)[0].record.atMs, i);
  }
  const at = (kept: KeptDecision[]) => kept.map((one) => one.record.atMs);
  assert.deepEqual(at(log.latest(10)), [5, 4, 3, 2]);
  assert.deepEqual(at(log.latest(3)), [5, 4, 3]);
  assert.deepEqual(at(log.latest(10, requestOf(0))), [4, 2]);
});

Deno.test("a log of 0 keeps nothing", () => {
  const log = new DecisionLog(0);
  log.push(decisionOf(1));
  assert.deepEqual(log.latest(10), []);
});
