import assert from "node:assert/strict";
import {
  batchOf,
  hashesOf,
  instanceOf,
  modelHash,
  reportOf,
  routeOf,
  storedOf,
} from "../testing/samples.ts";
import { stateOf } from "../testing/state_of.ts";
import { sourceKey } from "./event_source.ts";
import type { RestoredFrom } from "./restored.ts";

const key = sourceKey(batchOf(1, { number: 1, events: [] }));
const told = (number: number, epoch = instanceOf(1)) =>
  batchOf(1, { number, epoch, events: [storedOf(hashesOf(1, 4), 1)] });

function restoredWorld(number: number, from: RestoredFrom, epoch = instanceOf(1)) {
  const made = world();
  made.state.truth.restore(told(number, epoch), from, 0);
  return made;
}

function world() {
  const state = stateOf(1, {}, {});
  // stateOf lets each worker report 0 at first: this one begins anew.
  state.streams.get(key)!.stream.absent();
  const credit = () => {
    const decision = state.route(modelHash, routeOf(1), { nowMs: 0, draw: () => 0 });
    return decision.ok ? decision.value.overlap.device : undefined;
  };
  return { state, credit, stream: state.streams.get(key)!.stream };
}

Deno.test("a restored source counts for nothing before a word of its live stream", () => {
  const { state, credit } = restoredWorld(5, "peer");
  assert.equal(credit(), 0);
  state.report(reportOf(1, { kvEventNumber: 5 }), 1);
  assert.equal(credit(), 4);
  assert.deepEqual(state.truth.counts.joined, 1);
  state.checkIntegrity();
});

Deno.test("a restored source joins at once where its live stream was heard before", () => {
  for (const from of ["peer", "file"] as const) {
    const { state, credit, stream } = world();
    state.report(reportOf(1, { kvEventNumber: 5 }), 0);
    assert.equal(stream.isDue(0), true);
    state.truth.restore(told(5), from, 1);
    assert.deepEqual([credit(), stream.isDue(1), stream.state], [4, false, "exact"]);
    state.checkIntegrity();
  }
  const { state, credit, stream } = world();
  const removed = { op: "removed", numbers: Uint32Array.of(4) } as const;
  state.events(batchOf(1, { number: 6, events: [removed] }), 0);
  state.truth.restore(told(5), "peer", 1);
  assert.deepEqual([credit(), stream.number, stream.state], [3, 6, "exact"]);
  const late = world();
  late.state.events(batchOf(1, { number: 8, events: [] }), 0);
  late.state.truth.restore(told(5), "peer", 1);
  assert.deepEqual([late.credit(), late.stream.isDue(200)], [0, true]);
  for (const one of [state, late.state]) one.checkIntegrity();
});

Deno.test("a restored source that is behind the live stream is dropped, and its owner is asked", () => {
  for (const from of ["peer", "file"] as const) {
    const { state, credit, stream } = restoredWorld(5, from);
    state.report(reportOf(1, { kvEventNumber: 6 }), 1);
    assert.equal(credit(), 0);
    assert.equal(stream.isDue(200), true);
    assert.equal(state.truth.counts.outdated, 1);
    state.checkIntegrity();
  }
});

Deno.test("batches that waited close the gap", () => {
  const { state, credit, stream } = restoredWorld(5, "file");
  state.events(
    batchOf(1, { number: 6, events: [{ op: "removed", numbers: Uint32Array.of(4) }] }),
    0,
  );
  assert.deepEqual([stream.state, stream.number, credit()], ["exact", 6, 3]);
  state.report(reportOf(1, { kvEventNumber: 6 }), 1);
  assert.equal(credit(), 3);
  state.checkIntegrity();
});

Deno.test("a batch that leaves a gap, another epoch, and a file from the future are no join", () => {
  const gap = restoredWorld(5, "peer");
  gap.state.events(batchOf(1, { number: 8, events: [] }), 0);
  assert.deepEqual([gap.credit(), gap.stream.isDue(200)], [0, true]);
  const anew = restoredWorld(5, "peer", instanceOf(9));
  anew.state.report(reportOf(1, { kvEventNumber: 5 }), 1);
  assert.equal(anew.credit(), 0);
  const future = restoredWorld(5, "file");
  future.state.report(reportOf(1, { kvEventNumber: 4 }), 1);
  assert.equal(future.credit(), 0);
  const ahead = restoredWorld(5, "peer");
  ahead.state.report(reportOf(1, { kvEventNumber: 4 }), 1);
  assert.equal(ahead.credit(), 4);
  for (const { state } of [gap, anew, future, ahead]) state.checkIntegrity();
});

Deno.test("a restored source that nobody tells of is forgotten", () => {
  const { state } = restoredWorld(5, "peer");
  state.sweep(9_999);
  assert.equal(state.truth.restored.size, 1);
  state.sweep(10_000);
  assert.deepEqual([state.truth.restored.size, state.truth.counts.unheard], [0, 1]);
});
