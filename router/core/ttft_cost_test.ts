import assert from "node:assert/strict";
import type { WorkerProfile } from "@pixii/wire";
import { batchOf, cardOf, hashesOf, instanceOf, modelHash, routeOf } from "../testing/samples.ts";
import { hear, putCard, stateOf } from "../testing/state_of.ts";
import type { RouterState } from "./router_state.ts";
import type { Scored } from "./scored.ts";
import { defaultTtftWeights, isHomeBest, priceTtft } from "./ttft_cost.ts";

/** One millisecond a token, a tenth of it where the context is there to be read, 10 ms a decode step, 2 ms a host block. */
const profile: WorkerProfile = {
  ...{ version: 1, model: "m", modelDigest: "d", engine: "sim", engineVersion: "1" },
  ...{ machine: "m", measuredAt: "2026-01-01T00:00:00Z", about: "", blockSize: 16 },
  prefill: { newTokens: [0, 1000], contextTokens: [0], ms: [[0], [1000]] },
  decode: { sequences: [1, 2], contextTokens: [0], ms: [[10], [10]] },
  onboardBlockMs: { host: 2 },
};

const stored = (seed: number, blocks: number) => ({
  ...{ op: "stored", parent: 0, ...hashesOf(seed, blocks) } as const,
  numbers: Uint32Array.from({ length: blocks }, (_, i) => 1000 * seed + i + 1),
});

/** A candidate that computes a token a millisecond and holds nothing. */
function scoredOf(more: { readonly busyShare: number; readonly aheadMs?: number }): Scored {
  const load = {
    ...{ prefillTokens: 0, blocks: 0, requests: 0, waiting: 0, aheadMs: 0, prefillRate: 1000 },
    ...{ recent: 0, ...more },
  };
  const worker = { instance: instanceOf(1), dpRank: 0 };
  const card = { blockSize: 16, maxSeqs: 8, profile: undefined };
  return {
    rank: { key: "k", worker, card, load, lastTurn: 0 },
    ...{ overlap: { device: 0, host: 0, disk: 0 }, terms: {}, cost: 0 },
  };
}

const numbers = { next: 1 };
function place(state: RouterState, nowMs: number, more: Parameters<typeof routeOf>[1] = {}) {
  const request = routeOf(numbers.next++, more);
  const decision = state.route(modelHash, request, { nowMs, draw: () => 0 });
  assert.ok(decision.ok);
  return { request, record: decision.value.record };
}

function stateOfTwo(workWeight = 0): RouterState {
  const ttft = { workWeight, spreadWeight: 0, stickyBacklogMs: 50, assumedRate: 1000 };
  const state = stateOf(0, { policy: "ttft", ttft });
  for (const number of [1, 2]) {
    putCard(state, cardOf(number, { profile, kvbm: instanceOf(0xb0 + number) }));
    hear(state, number);
  }
  return state;
}

Deno.test("policy ttft prices the queue, the missing prompt, the transfer and the decode steps in milliseconds", () => {
  const state = stateOfTwo();
  state.events(batchOf(1, { number: 1, events: [stored(1, 2)] }), 1);
  state.events(
    batchOf(0xb1, { number: 1, tier: "host", events: [stored(1, 3)] }),
    1,
  );
  const { record, request } = place(state, 5);
  assert.equal(record.chosen.instance, instanceOf(1));
  const terms = record.candidates.map((one) => one.terms);
  assert.deepEqual(terms, [
    { queue: 0, prefill: 16, transfer: 2, interference: 0, spread: 0, work: 0 },
    { queue: 0, prefill: 64, transfer: 0, interference: 0, spread: 0, work: 0 },
  ]);
  // 10 ms later the first prompt is 10 ms nearer to its token.
  const next = place(state, 15, { seed: 9 });
  assert.equal(next.record.candidates.find((one) => one.terms.queue > 0)?.terms.queue, 6);
  const { requestId, attempt, leg } = request;
  state.entry({ op: "first-token", requestId, attempt, leg }, 18);
  const third = place(state, 18, { seed: 8 });
  const first = third.record.candidates.find((one) => one.worker.instance === instanceOf(1))!;
  assert.deepEqual([first.terms.queue, first.terms.interference], [0, 10]);
  state.checkIntegrity();
});

Deno.test("policy ttft leaves a cached prefix where more waits than the prefix saves", () => {
  const chosenAt = (waiting: number) => {
    const state = stateOfTwo();
    state.events(batchOf(1, { number: 1, events: [stored(1, 3)] }), 1);
    // `waiting` prompts of one block wait at worker 1, which has 48 of the 64 tokens.
    const only = { allow: [instanceOf(1)] };
    for (let i = 0; i < waiting; i++) place(state, 1, { seed: 50 + i, blocks: 1, hints: only });
    return place(state, 1).record.chosen.instance;
  };
  assert.equal(chosenAt(2), instanceOf(1));
  assert.equal(chosenAt(4), instanceOf(2));
});

Deno.test("new work costs the more the busier the workers are, and nothing where all are idle", () => {
  const price = (busyShare: number, workWeight: number) => {
    const one = scoredOf({ busyShare });
    priceTtft([one], 100, { ...defaultTtftWeights, workWeight });
    return one.terms.work;
  };
  assert.deepEqual([price(0, 2), price(0.5, 2), price(0.5, 0)], [0, 200, 0]);
  assert.equal(Math.round(price(0.8, 1)), 400);
  assert.ok(price(1, 1) < 1_000);
});

Deno.test("a worker that got more than the others lately costs a share of the prompt", () => {
  const ttft = { workWeight: 0, spreadWeight: 0.5, stickyBacklogMs: 0, assumedRate: 1000 };
  const state = stateOf(2, { policy: "ttft", ttft });
  const only = { allow: [instanceOf(1)] };
  for (let i = 0; i < 20; i++) {
    const { request } = place(state, 1, { seed: 60 + i, blocks: 1, hints: only });
    const { requestId, attempt, leg } = request;
    state.entry({ op: "complete", requestId, attempt, leg }, 1);
  }
  const { record } = place(state, 1);
  const spread = new Map(record.candidates.map((one) => [one.worker.instance, one.terms.spread]));
  // Twenty against a mean of ten: half of 64 ms.
  assert.deepEqual([spread.get(instanceOf(1)), spread.get(instanceOf(2))], [32, 0]);
});

Deno.test("a session stays with its worker while the backlog there is within its bound", () => {
  const state = stateOfTwo();
  const hints = { session: "s" };
  assert.equal(
    place(state, 1, { seed: 3, blocks: 1, hints }).record.chosen.instance,
    instanceOf(1),
  );
  assert.ok(
    "affinity" in place(state, 1, { seed: 4, blocks: 1, hints }).record.candidates[0].terms,
  );
  place(state, 1, { seed: 5, blocks: 3, hints: { allow: [instanceOf(1)] } });
  const moved = place(state, 1, { seed: 6, blocks: 1, hints }).record;
  assert.equal(moved.chosen.instance, instanceOf(2));
  assert.ok(!("affinity" in moved.candidates[0].terms));
});

Deno.test("isHomeBest() weighs what waits at home beyond the least against the bound and a prompt computed anew", () => {
  const isHome = (homeMs: number, leastMs: number, busyShare: number) => {
    const [home, other] = [homeMs, leastMs].map((aheadMs) => scoredOf({ aheadMs, busyShare }));
    const weights = { ...defaultTtftWeights, stickyBacklogMs: 50 };
    return isHomeBest(home, [home, other], { isl: 100, weights });
  };
  assert.deepEqual([isHome(50, 0, 0), isHome(51, 0, 0)], [true, false]);
  // Where all are late nothing is won by leaving.
  assert.ok(isHome(1_050, 1_000, 0));
  // Its 100 ms of prompt cost others as much at half of the time busy, four times that at 0.8.
  assert.deepEqual([isHome(150, 0, 0.5), isHome(151, 0, 0.5)], [true, false]);
  assert.deepEqual([isHome(449, 0, 0.8), isHome(452, 0, 0.8)], [true, false]);
});

Deno.test("without a profile the reported rate predicts, without one the assumed", () => {
  const ttft = { workWeight: 0, spreadWeight: 0, stickyBacklogMs: 0, assumedRate: 2000 };
  const state = stateOf(2, { policy: "ttft", ttft });
  hear(state, 2, { prefillRate: 4000 });
  const { record } = place(state, 1);
  assert.equal(record.chosen.instance, instanceOf(2));
  assert.deepEqual(record.candidates.map((one) => one.terms.prefill), [16, 32]);
});

Deno.test("a booking that ends without a first token leaves the line", () => {
  const state = stateOfTwo();
  const { request } = place(state, 1);
  const { requestId, attempt, leg } = request;
  state.entry({ op: "complete", requestId, attempt, leg }, 2);
  state.checkIntegrity();
  assert.deepEqual(place(state, 2).record.candidates.map((one) => one.terms.queue), [0, 0]);
});
