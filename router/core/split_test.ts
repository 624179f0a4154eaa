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
import { explainDecision } from "./explain.ts";
import type { RouterState } from "./router_state.ts";
import type { SplitRules } from "./split.ts";

const split: SplitRules = {
  ...{
    mode: "auto",
    maxLocalPrefillLength: 100,
    maxPrefillQueueSize: 2,
    patience: 2,
    acrossHosts: false,
  },
};

/** Decode worker 1 and prefill workers 2 and 3. */
function stateWith(more: Partial<ModelCard> = {}, rules: Partial<SplitRules> = {}): RouterState {
  const state = stateOf(1, { split: { ...split, ...rules } });
  for (const number of [2, 3]) {
    putCard(state, cardOf(number, { role: "prefill", ...more }));
    hear(state, number, { role: "prefill" });
  }
  return state;
}

function place(
  state: RouterState,
  ask: { blocks?: number; hints?: RouteHints; number?: number } = {},
) {
  const { blocks = 10, hints, number = 1 } = ask;
  const decision = state.route(modelHash, routeOf(number, { blocks, hints }), {
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

Deno.test("prefill workers that are full, draining or without a way to hand over get nothing", () => {
  const state = stateWith({}, { patience: 1_000 });
  const at = (number: number) => place(state, { number });
  // Each takes its share, until so many wait at both.
  assert.deepEqual([1, 2, 3, 4].map(at).sort(), [2, 2, 3, 3]);
  assert.equal(at(5), undefined);
  const draining = stateWith();
  busy(draining, 2, { draining: true });
  assert.equal(place(draining), 3);
  assert.equal(place(stateWith({ layoutFingerprint: "another" })), undefined);
  assert.equal(place(stateWith({ engine: "llama" })), undefined);
});

Deno.test("llama workers hand over where they share a kvbm", () => {
  const kvbm = instanceOf(99);
  for (
    const [mine, others, expected] of [[kvbm, kvbm, 2], [kvbm, instanceOf(98), undefined]] as const
  ) {
    const state = stateWith({ engine: "llama", kvbm: others });
    putCard(state, cardOf(1, { engine: "llama", kvbm: mine }));
    assert.equal(place(state), expected);
  }
  const state = stateWith({ engine: "llama", kvbm }, { acrossHosts: true });
  putCard(state, cardOf(1, { engine: "llama", kvbm: instanceOf(98) }));
  assert.equal(place(state), 2, "over TCP, where that is asked for");
});

Deno.test("a split books both legs, the prompt's tokens where they are computed; advice books nothing more", () => {
  const state = stateWith();
  place(state);
  const load = (number: number) => state.ledger.loadOf(`${instanceOf(number)}.0`)!;
  assert.deepEqual([load(1).bookings, load(1).prefillTokens], [1, 0]);
  assert.deepEqual([load(2).bookings, load(2).prefillTokens], [1, 160]);
  state.checkIntegrity();
  const advised = stateWith({}, { mode: "advise" });
  assert.equal(place(advised), 2);
  assert.equal(advised.ledger.size, 1);
});

Deno.test("a prompt that waiting prompts would hold up longer than computing it here is not split, unless always", () => {
  for (const [mode, expected] of [["auto", undefined], ["always", 2]] as const) {
    const state = stateWith({}, { mode, patience: 2, maxPrefillQueueSize: 100 });
    for (const number of [2, 3]) {
      for (let i = 0; i < 3; i++) busy(state, number, { prefillTokens: 5_000, waiting: 1 });
    }
    assert.equal(place(state), expected, mode);
  }
});

Deno.test("always splits short prompts too, and explain says who computes", () => {
  const state = stateWith({}, { mode: "always" });
  assert.equal(place(state, { blocks: 1 }), 2);
  const [kept] = state.decisions.latest({ most: 1 });
  const text = explainDecision(kept.report()).join("\n");
  assert.match(
    text,
    /Who computes the prompt\n {2}.* computes 16 prompt tokens and hands them over/,
  );
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
