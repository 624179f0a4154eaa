import assert from "node:assert/strict";
import { batchOf, hashesOf, instanceOf, modelHash, modelName } from "../testing/samples.ts";
import { routeOf, storedOf } from "../testing/samples.ts";
import { stateOf } from "../testing/state_of.ts";
import type { RouterState } from "./router_state.ts";

let nextRequest = 1;

function ask(state: RouterState, seed: number, worker: number): void {
  const hints = { worker: instanceOf(worker) };
  const request = routeOf(nextRequest++, { seed, blocks: 4, hints });
  const decision = state.route(modelHash, request, { nowMs: 10, draw: () => 0 });
  assert.ok(decision.ok);
}

Deno.test("reach counts what a pooled cache would have had beside what the chosen workers held", () => {
  const state = stateOf(2);
  state.events(batchOf(1, { number: 1, events: [storedOf(hashesOf(1, 4), 1)] }), 5);
  ask(state, 1, 1);
  ask(state, 1, 2);
  ask(state, 1, 2);
  ask(state, 2, 1);
  assert.deepEqual(state.reach.counts(), [
    // Worker 1 held the first prompt; the pool saw it at the second and third request.
    { model: modelName, blocks: 16, achieved: 4, reachable: 8 },
  ]);
  state.checkIntegrity();
});

Deno.test("a pool has the room of all workers of the model, and forgets what was used the longest ago", () => {
  const state = stateOf(2, {}, { totalBlocks: 4 });
  for (const seed of [1, 2, 1, 2, 3, 1]) ask(state, seed, 1);
  // Two prompts of 4 blocks fit 8; the third drove out the first.
  assert.deepEqual(state.reach.counts()[0].reachable, 8);
});
