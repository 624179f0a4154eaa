import assert from "node:assert/strict";
import { modelHashOf } from "@pixii/wire";
import { batchOf, cardOf, hashesOf, instanceOf, modelHash, storedOf } from "../testing/samples.ts";
import { hear, putCard, stateOf } from "../testing/state_of.ts";
import type { RouterState } from "./router_state.ts";

const ranksOf = (state: RouterState) =>
  state.fleet.models.get(modelHash)?.ranks.map((rank) => rank.key.replace(/^0+/, "")) ?? [];

Deno.test("ranks are in the order of their keys, whatever came first", () => {
  const state = stateOf(0);
  putCard(state, cardOf(3, { dpSize: 2 }));
  putCard(state, cardOf(1));
  assert.deepEqual(ranksOf(state), ["1.0", "3.0", "3.1"]);
  state.checkIntegrity();
});

Deno.test("a card that left the registry keeps its index for 3 s while its worker is heard of", () => {
  const state = stateOf(0);
  const key = putCard(state, cardOf(1));
  state.events(batchOf(1, { number: 1, events: [storedOf(hashesOf(1, 3), 1)] }), 0);
  state.fleet.remove(key, 1_000);
  for (let nowMs = 1_000; nowMs < 4_000; nowMs += 250) {
    hear(state, 1, { nowMs, kvEventNumber: 1 });
    assert.equal(state.fleet.sweep(nowMs), 0);
  }
  assert.equal(state.streams.budget.usedBlocks, 3);
  assert.equal(state.fleet.sweep(4_000), 1);
  assert.deepEqual([state.streams.budget.usedBlocks, state.streams.size], [0, 0]);
  assert.equal(state.fleet.models.size, 0);
  state.checkIntegrity();
});

Deno.test("a card that left is dropped when its worker falls silent, and kept when it comes back", () => {
  const state = stateOf(0);
  const [one, two] = [putCard(state, cardOf(1)), putCard(state, cardOf(2))];
  state.fleet.keep(new Set(), 0);
  putCard(state, cardOf(2), 100);
  assert.equal(state.fleet.sweep(800), 1);
  assert.deepEqual(ranksOf(state), ["2.0"]);
  state.fleet.keep(new Set([one, two]), 900);
  assert.equal(state.fleet.sweep(9_000), 0);
});

Deno.test("a worker that is silent but has its card keeps its index", () => {
  const state = stateOf(1);
  state.events(batchOf(1, { number: 1, events: [storedOf(hashesOf(1, 3), 1)] }), 0);
  assert.equal(state.fleet.sweep(60_000), 0);
  assert.equal(state.streams.budget.usedBlocks, 3);
});

Deno.test("the bookings of a dropped worker end", () => {
  const state = stateOf(0);
  const key = putCard(state, cardOf(1));
  const worker = { instance: instanceOf(1), dpRank: 0 };
  const stream = { requestId: "00".repeat(16) as never, attempt: 0, leg: 0 };
  state.ledger.decide(stream, { worker, frontend: instanceOf(9), prefillTokens: 1, blocks: 1 }, 0);
  state.fleet.remove(key, 0);
  state.fleet.sweep(5_000);
  assert.equal(state.ledger.size, 0);
  state.checkIntegrity();
});

Deno.test("a card that changes in place keeps blocks and bookings; one of another shape starts anew", () => {
  const state = stateOf(1);
  state.events(batchOf(1, { number: 1, events: [storedOf(hashesOf(1, 3), 1)] }), 0);
  putCard(state, cardOf(1, { role: "decode" }));
  assert.equal(state.fleet.models.get(modelHash)!.ranks[0].card.role, "decode");
  assert.equal(state.streams.budget.usedBlocks, 3);
  putCard(state, cardOf(1, { blockSize: 32 }));
  assert.equal(state.streams.budget.usedBlocks, 0);
  assert.deepEqual(ranksOf(state), ["1.0"]);
  state.checkIntegrity();
});

Deno.test("a kvbm is followed while any card names it, and asked at once", () => {
  const state = stateOf(0);
  const kvbm = instanceOf(0xb);
  const [one, two] = [1, 2].map((number) => putCard(state, cardOf(number, { kvbm })));
  const due = state.streams.due(0, 10).map((opened) => opened.stream.source);
  assert.deepEqual(due.map(({ owner, tier }) => [owner, tier]), [[kvbm, "host"], [kvbm, "disk"]]);
  assert.equal(state.streams.size, 4);
  state.fleet.remove(one, 0);
  state.fleet.sweep(5_000);
  assert.equal(state.streams.size, 3);
  state.checkIntegrity();
  state.fleet.remove(two, 5_000);
  state.fleet.sweep(9_000);
  assert.equal(state.streams.size, 0);
});

Deno.test("workers with other weights than most are strangers until they are most", () => {
  const state = stateOf(0);
  const strangers = () =>
    state.fleet.models.get(modelHash)!.ranks.filter((rank) => rank.isStranger).length;
  putCard(state, cardOf(1, { modelDigest: "a" }));
  putCard(state, cardOf(2, { modelDigest: "b" }));
  assert.equal(strangers(), 1);
  putCard(state, cardOf(3, { modelDigest: "b" }));
  assert.equal(state.fleet.models.get(modelHash)!.ranks[0].isStranger, true);
  state.fleet.remove(putCard(state, cardOf(2, { modelDigest: "b" })), 0);
  state.fleet.sweep(9_000);
  assert.equal(state.fleet.models.get(modelHash)!.ranks[0].isStranger, false);
});

Deno.test("reports and batches of workers without a card change nothing", () => {
  const state = stateOf(1);
  const version = state.stateVersion;
  hear(state, 7, { kvEventNumber: 4 });
  assert.equal(state.events(batchOf(7, { number: 1, events: [] }), 0), undefined);
  const other = modelHashOf("other");
  hear(state, 1, { model: other });
  assert.equal(state.stateVersion, version);
});
