import assert from "node:assert/strict";
import { comingPage } from "@pixii/wire";
import { VirtualClock } from "@pixii/runtime";
import { ComingRuns } from "./coming_runs.ts";
import type { HostRun, Landing } from "./kv_store.ts";

function open() {
  const clock = new VirtualClock();
  const said: Landing[][] = [];
  const runs = new ComingRuns(clock, (_, landings) => said.push([...landings]));
  const runOf = (lease: number, slots: readonly number[]): HostRun => ({
    ...{ generation: 1, lease, slots: Uint32Array.from(slots) },
    pages: Uint32Array.from(slots, (slot) => slot === 0 ? comingPage : slot),
  });
  const land = (lease: number, position: number, slot: number) =>
    runs.landed([{ lease, position, slot, page: slot }]);
  return { clock, said, runs, runOf, land };
}

Deno.test("what lands before the answer is in it, what lands after it is told, each once", () => {
  const { said, runs, runOf, land } = open();
  runs.expect(7, 1);
  land(7, 1, 5);
  const run = runOf(7, [3, 0, 0]);
  runs.answered(run, () => 1_000);
  assert.deepEqual([...run.slots], [3, 5, 0]);
  assert.deepEqual(said, []);
  land(7, 2, 6);
  land(7, 2, 6);
  land(8, 0, 1);
  assert.deepEqual(said, [[{ lease: 7, position: 2, slot: 6, page: 6 }]]);
  assert.equal(runs.size, 0, "nothing is waited for any more");
});

Deno.test("a run that stalls is lost; every block that lands gives the next one its time", async () => {
  const { clock, said, runs, runOf, land } = open();
  runs.expect(1, 1);
  runs.answered(runOf(1, [0, 0, 0]), (coming) => 100 * coming);
  await clock.advance(290);
  land(1, 0, 4);
  await clock.advance(190);
  assert.equal(said.length, 1);
  await clock.advance(20);
  const lost = [1, 2].map((position) => ({ lease: 1, position, slot: 0, page: 0 }));
  assert.deepEqual(said[1], lost);
  land(1, 1, 5);
  assert.equal(said.length, 2, "it comes too late");
});

Deno.test("hurry() shortens the wait, also of a question on its way; a lease that is over is told nothing", async () => {
  const { clock, said, runs, runOf, land } = open();
  runs.expect(1, 1);
  runs.answered(runOf(1, [0]), () => 10_000);
  runs.hurry(1, 250);
  await clock.advance(250);
  assert.equal(said.length, 1);
  runs.expect(2, 1);
  runs.answered(runOf(2, [0]), () => 10_000);
  runs.forget(2);
  land(2, 0, 9);
  await clock.advance(20_000);
  assert.equal(said.length, 1);
  runs.expect(3, 1);
  runs.clear();
  assert.equal(runs.size, 0);
});
