import assert from "node:assert/strict";
import type { DecisionRecord, LoadReport, PolicyName, RouteHints } from "@pixii/wire";
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

/** Random numbers from a list; asking for more is a failure. */
function drawFrom(numbers: readonly number[]) {
  const left = [...numbers];
  return () => left.shift() ?? assert.fail("one more random number than expected was drawn");
}

let nextRequest = 1;

interface Ask {
  readonly hints?: RouteHints;
  readonly chance?: readonly number[];
  readonly nowMs?: number;
  readonly seed?: number;
  readonly blocks?: number;
}

function ask(state: RouterState, options: Ask = {}) {
  const { chance = [], nowMs = 10, hints, seed, blocks } = options;
  const request = routeOf(nextRequest++, { hints, seed, blocks });
  return state.route(modelHash, request, { nowMs, draw: drawFrom(chance) });
}

function recordOf(state: RouterState, options: Ask = {}): DecisionRecord {
  const decision = ask(state, options);
  assert.ok(decision.ok, decision.ok ? "" : decision.error.message);
  const { record } = decision.value;
  for (const { terms, cost } of record.candidates) {
    const sum = Object.values(terms).reduce((all, term) => all + term, 0);
    assert.ok(Math.abs(sum - cost) < 1e-9, `terms sum to ${sum}, cost is ${cost}`);
  }
  assert.ok(record.candidates.some((one) => one.worker.instance === record.chosen.instance));
  state.checkIntegrity();
  return record;
}

const chosen = (state: RouterState, options: Ask = {}) =>
  parseInt(recordOf(state, options).chosen.instance, 16);

function refusal(state: RouterState, options: Ask = {}) {
  const version = state.stateVersion;
  const decision = ask(state, options);
  assert.ok(!decision.ok, "it was placed");
  assert.deepEqual([state.stateVersion, state.ledger.size], [version, 0]);
  return decision.error;
}

Deno.test("policy kv goes to the longest prefix, and the record says why", () => {
  const state = stateOf(3);
  state.events(batchOf(2, { number: 1, events: [storedOf(hashesOf(1, 3), 1)] }), 5);
  state.events(batchOf(3, { number: 1, events: [storedOf(hashesOf(1, 1), 1)] }), 5);
  const version = state.stateVersion;
  const record = recordOf(state, { seed: 1, blocks: 4 });
  const { requestId: _, ...rest } = record;
  const candidate = (number: number, device: number) => ({
    worker: { instance: instanceOf(number), dpRank: 0 },
    overlap: { device, host: 0, disk: 0 },
    terms: { prefill: 4 - device, decode: 4, active: 0 },
    cost: 8 - device,
  });
  assert.deepEqual(rest, {
    ...{ attempt: 0, leg: 0, model: "org/sample", policy: "kv", router: instanceOf(0xaa) },
    ...{ atMs: 10, isl: 64, blockSize: 16, eligible: 3, chance: [], stateVersion: version },
    candidates: [candidate(2, 3), candidate(3, 1), candidate(1, 0)],
    chosen: { instance: instanceOf(2), dpRank: 0 },
  });
});

Deno.test("policy kv sees its own decisions at once, and weighs load against prefix", () => {
  const state = stateOf(2);
  state.events(batchOf(1, { number: 1, events: [storedOf(hashesOf(1, 4), 1)] }), 5);
  // Worker 1 holds the whole prompt; each stream there holds 4 blocks and computes nothing.
  assert.deepEqual([chosen(state), chosen(state, { chance: [0.6] })], [1, 2]);
});

Deno.test("policy kv breaks ties by chance and records the number", () => {
  const state = stateOf(4);
  const record = recordOf(state, { chance: [0.5] });
  assert.deepEqual(record.chance, [0.5]);
  assert.equal(record.chosen.instance, instanceOf(3));
  assert.equal(record.candidates[0].worker.instance, instanceOf(3));
});

Deno.test("policy kv with a temperature takes worse ones at times", () => {
  const kv = { ...stateOf(0).kv, temperature: 1 };
  const pick = (u: number) => {
    const state = stateOf(2, { kv });
    state.events(batchOf(2, { number: 1, events: [storedOf(hashesOf(1, 2), 1)] }), 5);
    return recordOf(state, { chance: [u] });
  };
  // Worker 1 weighs e^-1, worker 2 weighs 1: the edge is at 0.2689.
  assert.deepEqual([0.26, 0.27].map((u) => parseInt(pick(u).chosen.instance, 16)), [1, 2]);
  assert.equal(pick(0.1).candidates[0].worker.instance, instanceOf(2));
});

Deno.test("host and disk blocks of a worker's kvbm count, joined with its own", () => {
  const state = stateOf(0);
  putCard(state, cardOf(1, { kvbm: instanceOf(0xb) }));
  putCard(state, cardOf(2));
  state.events(batchOf(1, { number: 1, events: [storedOf(hashesOf(1, 1), 1)] }), 5);
  const below = (tier: "host" | "disk", blocks: number) => {
    const events = [storedOf(hashesOf(1, blocks), 1)];
    const batch = batchOf(0xb, { number: 1, tier, events });
    state.events(batch, 5);
  };
  below("host", 3);
  below("disk", 4);
  const record = recordOf(state);
  assert.deepEqual(record.candidates[0].overlap, { device: 1, host: 2, disk: 1 });
  assert.equal(record.candidates[0].terms.prefill, 4 - 1 - 1.5 - 0.25);
  assert.equal(record.chosen.instance, instanceOf(1));
});

Deno.test("workers of one model may have blocks of different sizes", () => {
  const state = stateOf(1);
  putCard(state, cardOf(2, { blockSize: 64 }));
  const events = [storedOf(hashesOf(7, 1), 1)];
  state.events(batchOf(2, { number: 1, blockSize: 64, events }), 5);
  const hashes = [
    { blockSize: 16, list: hashesOf(1, 4) },
    { blockSize: 64, list: hashesOf(7, 1) },
  ];
  const request = { ...routeOf(nextRequest++), hashes };
  const decision = state.route(modelHash, request, { nowMs: 10, draw: drawFrom([]) });
  assert.ok(decision.ok);
  const { record, overlap } = decision.value;
  assert.deepEqual([record.chosen.instance, record.blockSize], [instanceOf(2), 64]);
  assert.deepEqual(overlap, { device: 1, host: 0, disk: 0 });
  assert.equal(decision.value.rank.load.blocks, 1);
});

Deno.test("policy round-robin goes around, and a hole in the round is caught up", () => {
  const state = stateOf(3, { policy: "round-robin" });
  assert.deepEqual([1, 2, 3, 4].map(() => chosen(state)), [1, 2, 3, 1]);
  const deny = { deny: [instanceOf(2)] };
  assert.deepEqual([chosen(state, { hints: deny }), chosen(state), chosen(state)], [3, 2, 1]);
});

Deno.test("policy random is uniform", () => {
  const state = stateOf(3, { policy: "random" });
  const picked = [0, 0.34, 0.99].map((u) => chosen(state, { chance: [u] }));
  assert.deepEqual(picked, [1, 2, 3]);
});

Deno.test("policy least-loaded counts bookings and what reports tell beyond them", () => {
  const state = stateOf(0, { policy: "least-loaded" });
  for (const number of [1, 2, 3]) putCard(state, cardOf(number));
  hear(state, 1, { running: 1 });
  hear(state, 2);
  hear(state, 3);
  assert.equal(chosen(state, { chance: [0.9] }), 3);
  assert.equal(chosen(state), 2);
  const record = recordOf(state, { chance: [0] });
  assert.deepEqual(record.candidates.map((one) => one.terms.active), [1, 1, 1]);
});

Deno.test("policy power-of-two looks at two and takes the less loaded", () => {
  const state = stateOf(4, { policy: "power-of-two" });
  const first = recordOf(state, { chance: [0.3, 0] });
  assert.deepEqual([first.chosen.instance, first.candidates.length, first.eligible], [
    ...[instanceOf(2), 2, 4],
  ]);
  assert.equal(chosen(state, { chance: [0.3, 0] }), 1);
});

Deno.test("policy direct goes where it is told, and needs to be told", () => {
  const state = stateOf(3, { policy: "direct" });
  const error = refusal(state);
  assert.deepEqual([error.code, error.param], ["invalid_request", "worker"]);
  assert.match(error.message, /name one/);
  assert.equal(chosen(state, { hints: { worker: instanceOf(3) } }), 3);
});

Deno.test("hints choose the policy and the workers", () => {
  const state = stateOf(4);
  const hinted = (hints: RouteHints, chance: readonly number[] = []) =>
    chosen(state, { hints, chance });
  assert.equal(hinted({ worker: instanceOf(4) }), 4);
  assert.equal(hinted({ allow: [instanceOf(2), instanceOf(9)] }), 2);
  assert.equal(hinted({ deny: [1, 2, 4].map(instanceOf) }), 3);
  assert.equal(hinted({ policy: "random" satisfies PolicyName }, [0.3]), 2);
  assert.equal(recordOf(state, { hints: { policy: "round-robin" } }).policy, "round-robin");
});

Deno.test("ranks of one instance are chosen apart, and by hint", () => {
  const state = stateOf(1, {}, { dpSize: 2 });
  state.events(batchOf(1, { number: 1, dpRank: 1, events: [storedOf(hashesOf(1, 2), 1)] }), 5);
  assert.deepEqual(recordOf(state).chosen, { instance: instanceOf(1), dpRank: 1 });
  const hints = { worker: instanceOf(1), dpRank: 0 };
  assert.deepEqual(recordOf(state, { hints }).chosen, { instance: instanceOf(1), dpRank: 0 });
});

Deno.test("a session stays with its worker while it has room, and moves when it is gone", () => {
  const state = stateOf(3, {}, { maxSeqs: 2 });
  const hints = { session: "s" };
  assert.equal(chosen(state, { hints, chance: [0.5] }), 2);
  const record = recordOf(state, { hints });
  assert.equal(record.chosen.instance, instanceOf(2));
  const { terms, cost } = record.candidates[0];
  assert.deepEqual([terms, cost], [{ prefill: 8, decode: 8, active: 0, affinity: -8 }, 8]);
  assert.deepEqual(record.chance, []);
  // Worker 2 now has its two.
  assert.equal(chosen(state, { hints, chance: [0] }), 1);
  hear(state, 1, { draining: true });
  assert.equal(chosen(state, { hints }), 3);
  assert.equal(chosen(state, { hints: { session: "t" }, nowMs: 20 }), 3);
});

Deno.test("a session is not bound across its time to live, nor where a worker is named", () => {
  const state = stateOf(2, { sessionTtlMs: 100 });
  const hints = { session: "s" };
  assert.equal(chosen(state, { hints, chance: [0.9] }), 2);
  assert.equal(chosen(state, { hints: { ...hints, worker: instanceOf(1) } }), 1);
  assert.equal(chosen(state, { hints, nowMs: 200, chance: [0.9] }), 2);
});

Deno.test("a record has at most 16 candidates, the chosen one among them", () => {
  const kv = { ...stateOf(0).kv, temperature: 100 };
  const state = stateOf(20, { kv });
  for (let number = 1; number < 20; number++) {
    state.events(batchOf(number, { number: 1, events: [storedOf(hashesOf(1, 2), 1)] }), 5);
  }
  const record = recordOf(state, { chance: [0.9999] });
  assert.deepEqual([record.candidates.length, record.eligible], [16, 20]);
  assert.equal(record.chosen.instance, instanceOf(20));
  assert.equal(record.candidates[15].worker.instance, instanceOf(20));
  const costs = record.candidates.map((one) => one.cost);
  assert.deepEqual(costs, costs.toSorted((a, b) => a - b));
});

Deno.test("workers that are silent, hung, draining, only for prefill or of other weights get no work", () => {
  const state = stateOf(6);
  const fresh = { nowMs: 1_000 } as const;
  hear(state, 2, { ...fresh, stepAgeMs: 30_000 });
  hear(state, 3, { ...fresh, draining: true });
  hear(state, 4, { ...fresh, role: "prefill" });
  hear(state, 5, fresh);
  hear(state, 6, fresh);
  putCard(state, cardOf(5, { modelDigest: "other" }));
  assert.equal(chosen(state, { nowMs: 1_000 }), 6);
  hear(state, 6, { ...fresh, stepAgeMs: 29_999 });
  assert.equal(chosen(state, { nowMs: 1_000 }), 6);
});

Deno.test("a refusal says how many workers fell out, and why", () => {
  const state = stateOf(4);
  const reports: [number, Partial<LoadReport>][] = [[2, { draining: true }], [3, {}]];
  for (const [number, more] of reports) hear(state, number, { ...more, nowMs: 1_000 });
  const error = refusal(state, { nowMs: 1_000, hints: { deny: [instanceOf(3)] } });
  assert.deepEqual([error.code, error.retryAfterMs], ["no_worker", 250]);
  assert.match(error.message, /none of the 4 workers of org\/sample takes it/);
  assert.match(error.message, /1 left out by the hints, 1 shutting down, 2 silent/);
  const silent = refusal(state, { nowMs: 9_000 });
  assert.match(silent.message, /1 shutting down, 3 silent\); try again/);
  const unknown = refusal(state, { nowMs: 1_000, hints: { worker: instanceOf(99) } });
  assert.match(unknown.message, /4 left out by the hints/);
});

Deno.test("a prompt that fits no worker is the client's error", () => {
  const state = stateOf(2, {}, { contextLength: 64 });
  assert.equal(chosen(state, { blocks: 3, chance: [0] }), 1);
  const other = stateOf(2, {}, { contextLength: 64 });
  const error = refusal(other, { blocks: 4 });
  assert.equal(error.code, "context_length_exceeded");
  assert.match(error.message, /64 tokens.*fewer than 64/);
});

Deno.test("a model that is gone is not found", () => {
  assert.equal(refusal(stateOf(0)).code, "model_not_found");
});

Deno.test("the same state, request and chance give the same record", () => {
  const run = () => {
    const state = stateOf(5);
    state.events(batchOf(4, { number: 1, events: [storedOf(hashesOf(1, 2), 1)] }), 5);
    const request = routeOf(1_000, { hints: { session: "x" } });
    const moment = { nowMs: 10, draw: drawFrom([0.7, 0.2]) };
    return JSON.stringify(state.route(modelHash, request, moment));
  };
  assert.equal(run(), run());
});
