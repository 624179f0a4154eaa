import assert from "node:assert/strict";
import fc from "fast-check";
import { instanceOf, modelHash, modelName, requestOf } from "../testing/samples.ts";
import { stateOf } from "../testing/state_of.ts";
import { DecisionInputs } from "./decision_inputs.ts";
import { DecisionLog } from "./decision_log.ts";
import type { KeptDecision } from "./decision_log.ts";
import { DecisionTrace } from "./decision_trace.ts";

const { weights } = stateOf(0);

/** A trace of request `number` at `atMs`. */
function traceOf(
  number: number,
  atMs: number,
  more: { readonly attempt?: number; readonly clientId?: string } = {},
): DecisionTrace {
  const { attempt = 0, clientId } = more;
  const worker = { instance: instanceOf(1 + number % 3), dpRank: 0 };
  const rank = {
    ...{ key: "k", worker, card: { blockSize: 16, maxSeqs: 8 }, lastTurn: 0 },
    load: {
      ...{ prefillTokens: 0, blocks: 0, requests: 0 },
      ...{ waiting: 0, aheadMs: 0, prefillRate: 0, busyShare: 0, recent: 0 },
    },
  };
  const all = [{ rank, overlap: { device: 0, host: 0, disk: 0 }, terms: {}, cost: 0 }];
  return new DecisionTrace({
    request: {
      ...{ requestId: requestOf(number), attempt, leg: 0, frontend: instanceOf(0xf1), isl: 16 },
      ...{ maxTokens: 1, remainingMs: 1, hashes: [] },
      hints: clientId === undefined ? undefined : { clientId },
    },
    place: {
      ...{ model: { name: modelName, hash: modelHash }, router: instanceOf(0xaa), atMs },
      stateVersion: 0,
    },
    input: { policy: "kv", isl: 16, weights, sessionPlace: undefined },
    ...{ inputs: DecisionInputs.take([rank], all, all), chosen: 0, chance: [], excluded: [] },
  });
}

const at = (log: DecisionLog, filter: Partial<Parameters<DecisionLog["latest"]>[0]> = {}) =>
  log.latest({ most: 10, ...filter }).map(({ trace }) => trace.place.atMs);

Deno.test("latest() shows the newest first, of all or of those asked for", () => {
  const log = new DecisionLog(4);
  assert.deepEqual(at(log), []);
  for (let i = 0; i < 6; i++) {
    log.push(traceOf(i % 2, i, { attempt: i, clientId: `client-${i}` }));
    assert.equal(at(log)[0], i);
    log.checkIntegrity();
  }
  assert.deepEqual(at(log), [5, 4, 3, 2]);
  assert.deepEqual(at(log, { most: 3 }), [5, 4, 3]);
  assert.deepEqual(at(log, { id: requestOf(0) }), [4, 2]);
  assert.deepEqual(at(log, { id: "client-3" }), [3]);
  assert.deepEqual(at(log, { id: "client-1" }), []);
  assert.deepEqual(at(log, { worker: instanceOf(2) }), [5, 3]);
  assert.deepEqual(at(log, { model: "other" }), []);
  assert.deepEqual(at(log, { policy: "kv", model: modelName }), [5, 4, 3, 2]);
});

Deno.test("a log of 0 keeps nothing", () => {
  const log = new DecisionLog(0);
  log.push(traceOf(1, 1));
  assert.deepEqual(at(log), []);
});

Deno.test("a log is bounded by bytes, too", () => {
  const { bytes } = traceOf(1, 1);
  const log = new DecisionLog(100, 3 * bytes);
  for (let i = 0; i < 9; i++) {
    log.push(traceOf(i, i));
    log.checkIntegrity();
  }
  assert.deepEqual(at(log), [8, 7, 6]);
});

Deno.test("learn() joins what ledger entries tell to the attempt they are of, once", () => {
  const log = new DecisionLog(4);
  log.push(traceOf(7, 100));
  log.push(traceOf(7, 200, { attempt: 1 }));
  const key = { requestId: requestOf(7), attempt: 0, leg: 0 };
  const ended: KeptDecision[] = [];
  log.listen({ placed: () => {}, ended: (kept) => ended.push(kept) });
  log.learn({ op: "first-token", ...key, cachedTokens: 48 }, 130);
  log.learn({ op: "first-token", ...key }, 150);
  assert.equal(ended.length, 0);
  log.learn({ op: "complete", ...key, outputTokens: 9, reason: "length" }, 170);
  log.learn({ op: "complete", ...key }, 190);
  assert.equal(ended.length, 1);
  assert.deepEqual(ended[0].report().outcome, {
    ...{ ...key, firstTokenMs: 30, cachedTokens: 48 },
    ...{ endMs: 70, outputTokens: 9, reason: "length" },
  });
  const [second] = log.latest({ most: 1 });
  assert.equal(second.outcome, undefined);
  log.learn({ op: "complete", ...key, requestId: requestOf(8) }, 1);
  assert.equal(ended.length, 1);
});

Deno.test("a log's links hold whatever requests come, with any repetition", () => {
  fc.assert(fc.property(fc.array(fc.nat(6), { maxLength: 60 }), (requests) => {
    const log = new DecisionLog(5);
    requests.forEach((number, i) => {
      log.push(traceOf(number, i, { attempt: i }));
      log.checkIntegrity();
    });
    const last = requests.slice(-5);
    for (const number of new Set(last)) {
      const want = last.filter((one) => one === number).length;
      assert.equal(at(log, { id: requestOf(number) }).length, want);
    }
  }));
});
