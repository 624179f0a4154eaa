import assert from "node:assert/strict";
import type { ModelCard, RouteHints } from "@pixii/wire";
import { cardOf, instanceOf, modelHash, routeOf } from "../testing/samples.ts";
import { hear, putCard, stateOf } from "../testing/state_of.ts";
import type { Excluded } from "./decision_trace.ts";
import { eligibleRanks } from "./eligibility.ts";
import type { Judges } from "./eligibility.ts";
import type { RouterState } from "./router_state.ts";

/** Workers 1, 2, ... with these cards. */
function fleetOf(...cards: Partial<ModelCard>[]): RouterState {
  const state = stateOf(0);
  cards.forEach((card, i) => {
    putCard(state, cardOf(i + 1, card));
    hear(state, i + 1);
  });
  return state;
}

function judge(state: RouterState, hints?: RouteHints, more: Partial<Judges> = {}) {
  const judges = { liveness: state.liveness, hungStepMs: 30_000, nowMs: 10, ...more };
  return eligibleRanks(state.fleet.models.get(modelHash)!, routeOf(1, { hints }), judges);
}

function numbers(state: RouterState, hints?: RouteHints, more: Partial<Judges> = {}) {
  const ranks = judge(state, hints, more);
  assert.ok(ranks.ok, JSON.stringify(ranks));
  return ranks.value.map(({ worker }) => parseInt(worker.instance, 16));
}

function refusal(state: RouterState, hints?: RouteHints, more: Partial<Judges> = {}) {
  const ranks = judge(state, hints, more);
  assert.ok(!ranks.ok, "it may go somewhere");
  return ranks.error;
}

Deno.test("required labels and tolerated taints choose workers, and a refusal says what to loosen", () => {
  const state = fleetOf({ labels: ["zone=a", "gpu"] }, { labels: ["zone=b"] }, {
    taints: ["batch"],
  });
  assert.deepEqual(numbers(state), [1, 2]);
  assert.deepEqual(numbers(state, { require: ["zone=b"] }), [2]);
  assert.deepEqual(numbers(state, { require: ["zone", "gpu"] }), [1]);
  assert.deepEqual(numbers(state, { tolerate: ["batch"] }), [1, 2, 3]);
  const labels = refusal(state, { require: ["zone=c"] });
  assert.match(labels.message, /3 without the labels that are required.*require fewer labels/);
  const taints = refusal(fleetOf({ taints: ["batch"] }));
  assert.deepEqual([taints.code, taints.retryAfterMs], ["no_worker", 250]);
  assert.match(taints.message, /1 with a taint that is not tolerated.*tolerate the taint/);
});

Deno.test("a worker that has the adapter loaded leaves the others out, and none does no harm", () => {
  const state = fleetOf({ adapters: ["a"] }, { adapters: ["a", "b"] }, {});
  assert.deepEqual(numbers(state, { adapter: "b" }), [2]);
  assert.deepEqual(numbers(state, { adapter: "a" }), [1, 2]);
  assert.deepEqual(numbers(state, { adapter: "c" }), [1, 2, 3]);
  const excluded: Excluded[] = [];
  numbers(state, { adapter: "b" }, { excluded });
  assert.deepEqual(excluded.map(({ reason }) => reason), ["adapter", "adapter"]);
});

Deno.test("a hard session allows its worker only, and says so where that is gone", () => {
  const state = fleetOf({}, {});
  const boundTo = `${instanceOf(2)}.0`;
  assert.deepEqual(numbers(state, { session: "s" }, { boundTo }), [2]);
  const gone = refusal(state, { session: "s" }, { boundTo: `${instanceOf(9)}.0` });
  assert.equal(gone.code, "no_worker");
  assert.match(gone.message, /2 not the one that the hard session is bound to.*new session/);
});

Deno.test("full workers are passed over; where only full ones remain the refusal is overloaded", () => {
  const state = fleetOf({ maxSeqs: 1 }, { maxSeqs: 1 });
  const busy = { waitingPerRank: 1, prefillTokens: 0, blocks: 0 };
  const fill = (number: number, hints: RouteHints) => {
    const placed = state.route(modelHash, routeOf(number, { hints }), { nowMs: 5, draw: () => 0 });
    assert.ok(placed.ok);
  };
  for (const number of [10, 11]) fill(number, { worker: instanceOf(1) });
  assert.deepEqual(numbers(state), [1, 2]);
  assert.deepEqual(numbers(state, undefined, { busy }), [2]);
  const pinned = refusal(state, { worker: instanceOf(1) }, { busy });
  assert.deepEqual([pinned.code, pinned.retryAfterMs], ["overloaded", 250]);
  for (const number of [12, 13]) fill(number, { worker: instanceOf(2) });
  assert.match(
    refusal(state, undefined, { busy }).message,
    /all 2 workers of org\/sample.*are full/,
  );
});
