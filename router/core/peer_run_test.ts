import assert from "node:assert/strict";
import type { KvEventBatch } from "@pixii/wire";
import {
  batchOf,
  cardOf,
  hashesOf,
  instanceOf,
  modelHash,
  routeOf,
  storedOf,
} from "../testing/samples.ts";
import { putCard, stateOf } from "../testing/state_of.ts";
import { Coverage } from "./coverage.ts";
import { peerRun } from "./peer_run.ts";
import type { RouterState } from "./router_state.ts";

/** Workers 1 and 2 on hosts of their own, with block managers 91 and 92. */
function twoHosts(): RouterState {
  const state = stateOf(0);
  putCard(state, cardOf(1, { kvbm: instanceOf(91) }));
  putCard(state, cardOf(2, { kvbm: instanceOf(92) }));
  return state;
}

function tell(state: RouterState, batch: KvEventBatch): void {
  state.events(batch, 0);
}

const list = hashesOf(1, 10);
const none = { device: 0, host: 0, disk: 0 };

function runFor(state: RouterState, worker: number, overlap = none, isl = 1_000) {
  const model = state.fleet.models.get(modelHash)!;
  const rank = model.ranks.find((one) => one.worker.instance === instanceOf(worker))!;
  const request = routeOf(1, { blocks: 10, isl });
  const coverage = new Coverage(model, request, state);
  return peerRun(model, request, {
    decision: { rank, overlap, coverage },
    weights: state.weights,
  });
}

Deno.test("peerRun() names the other block manager with the longest run, and what computing it takes", () => {
  const state = twoHosts();
  assert.equal(runFor(state, 1), undefined);
  for (const [tier, first, end] of [["host", 0, 6], ["disk", 6, 8]] as const) {
    const part = { hi: list.hi.subarray(first, end), lo: list.lo.subarray(first, end) };
    const stored = { ...storedOf(part, 1 + first) };
    tell(state, { ...batchOf(92, { number: 1, events: [stored] }), tier });
  }
  const run = runFor(state, 1);
  assert.equal(run?.kvbm, instanceOf(92));
  assert.equal(run.blocks, 8);
  // 5,000 tokens a second are assumed of a worker that reports nothing.
  assert.ok(Math.abs(run.computeMs - run.blocks * 16 / 5) < 1e-6, `${run.computeMs}`);
  const half = runFor(state, 1, { device: 2, host: 2, disk: 0 });
  assert.ok(half !== undefined && half.computeMs < run.computeMs);
  // What the worker has itself it needs from nobody; its own block manager is no peer.
  assert.equal(runFor(state, 1, { device: 8, host: 0, disk: 0 }), undefined);
  assert.equal(runFor(state, 2), undefined);
  // The last token of a prompt is always computed.
  assert.equal(runFor(state, 1, none, 33)?.blocks, 2);
});

Deno.test("peerRun() passes over block managers whose blocks have another layout", () => {
  const state = twoHosts();
  tell(state, { ...batchOf(92, { number: 1, events: [storedOf(list, 1)] }), tier: "host" });
  assert.ok(runFor(state, 1) !== undefined);
  putCard(state, cardOf(2, { kvbm: instanceOf(92), layoutFingerprint: "another" }));
  assert.equal(runFor(state, 1), undefined);
});
