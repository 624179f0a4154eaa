import assert from "node:assert/strict";
import type { LoadReport, ModelCard, RouteHints } from "@pixii/wire";
import {
  batchOf,
  cardOf,
  hashesOf,
  instanceOf,
  modelHash,
  routeOf,
  storedOf,
} from "../testing/samples.ts";
import { hear, putCard, stateOf } from "../testing/state_of.ts";
import type { RouterState } from "./router_state.ts";

const split = { maxLocalPrefillTokens: 100, maxQueueTokens: 500 };

/** Decode worker 1 and prefill workers 2 and 3. */
function stateWith(more: Partial<ModelCard> = {}): RouterState {
  const state = stateOf(1, { split });
  for (const number of [2, 3]) {
    putCard(state, cardOf(number, { role: "prefill", ...more }));
    hear(state, number, { role: "prefill" });
  }
  return state;
}

function place(state: RouterState, ask: { blocks?: number; hints?: RouteHints } = {}) {
  const { blocks = 10, hints } = ask;
  const decision = state.route(modelHash, routeOf(1, { blocks, hints }), {
    ...{ nowMs: 10, draw: () => 0 },
  });
  assert.ok(decision.ok);
  assert.equal(decision.value.rank.worker.instance, instanceOf(1));
  const { prefill, record } = decision.value;
  assert.deepEqual(record.prefill, prefill?.worker);
  return prefill && parseInt(prefill.worker.instance, 16);
}

const busy = (state: RouterState, number: number, report: Partial<LoadReport>) =>
  hear(state, number, { role: "prefill", ...report });

Deno.test("a long prompt is given to a prefill worker, the one that holds most of it", () => {
  assert.equal(place(stateWith()), 2);
  const state = stateWith();
  const events = [storedOf(hashesOf(1, 5), 1)];
  busy(state, 3, { kvEventNumber: 0 });
  state.events(batchOf(3, { number: 1, events }), 5);
  assert.equal(place(state), 3);
});

Deno.test("a short prompt, or one that the decode worker holds, stays there", () => {
  assert.equal(place(stateWith(), { blocks: 6 }), undefined);
  const state = stateWith();
  state.events(batchOf(1, { number: 1, events: [storedOf(hashesOf(1, 5), 1)] }), 5);
  assert.equal(place(state), undefined);
});

Deno.test("prefill workers that are full, silent, draining or strangers get nothing", () => {
  const state = stateWith();
  // What only one report tells of is not believed.
  for (let i = 0; i < 3; i++) busy(state, 2, { prefillTokens: 501, waiting: 1 });
  assert.equal(place(state), 3);
  busy(state, 3, { draining: true });
  assert.equal(place(state), undefined);
});

Deno.test("a hint pins the prefill worker, and one that is gone is not replaced", () => {
  assert.equal(place(stateWith(), { hints: { prefillWorker: instanceOf(3) } }), 3);
  assert.equal(place(stateWith(), { hints: { prefillWorker: instanceOf(9) } }), undefined);
});

Deno.test("without prefill workers, or turned off, nothing is split", () => {
  assert.equal(place(stateOf(1, { split })), undefined);
  const off = stateOf(1);
  putCard(off, cardOf(2, { role: "prefill" }));
  hear(off, 2, { role: "prefill" });
  assert.equal(place(off), undefined);
});
