import assert from "node:assert/strict";
import type { RouteHints } from "@pixii/wire";
import { batchOf, hashesOf, instanceOf, modelHash, routeOf, storedOf } from "../testing/samples.ts";
import { hear, stateOf } from "../testing/state_of.ts";
import { explainDecision } from "./explain.ts";
import type { RouterState } from "./router_state.ts";

let nextRequest = 1;

/** The words on a decision made now. */
function told(state: RouterState, hints?: RouteHints, draw = 0): string {
  const moment = { nowMs: 10, draw: () => draw };
  const decision = state.route(modelHash, routeOf(nextRequest++, { hints }), moment);
  assert.ok(decision.ok);
  return explainDecision(decision.value.trace.report()).join("\n");
}

const text = (number: number) => `${instanceOf(number)}.0`;

Deno.test("a tie is told as a draw, and what would have settled it", () => {
  const words = told(stateOf(3), undefined, 0.5);
  assert.match(
    words,
    new RegExp(`Why ${text(2)}\n  One of 3 equally cheap of 3; the draw fell on it`),
  );
  assert.match(words, /Chance used: 0\.5\./);
  assert.match(words, /it would have won with 1 more cached block \(1 instead of 0\)/);
  assert.match(words, /Nothing is known yet/);
});

Deno.test("a temperature is told as shares of chance, without a turning point", () => {
  const state = stateOf(2, { kv: { ...stateOf(0).kv, temperature: 1 } });
  state.events(batchOf(2, { number: 1, events: [storedOf(hashesOf(1, 2), 1)] }), 5);
  const words = told(state, undefined, 0.1);
  assert.match(words, new RegExp(`Why ${text(1)}\n  Drawn by chance among 2, .*temperature 1`));
  assert.match(words, /it had 26\.894 % of the chance/);
  assert.match(words, new RegExp(`${text(2)}: .*2 blocks less, 73\\.106 % of the chance`));
  assert.doesNotMatch(words, /would have won|What would have changed/);
});

Deno.test("a session is told as what bound the request, and who it would have been without", () => {
  const state = stateOf(2);
  told(state, { session: "s" });
  const words = told(state, { session: "s" });
  assert.match(words, new RegExp(`Why ${text(1)}\n  Its session s is bound to this worker`));
  assert.match(words, new RegExp(`Without the session it would have been ${text(2)}`));
});

Deno.test("every other policy says in its own words how it chose", () => {
  const state = stateOf(3);
  assert.match(told(state, { policy: "round-robin" }), /Its turn: of 3 it had waited the longest/);
  assert.match(told(state, { policy: "random" }), /Drawn by chance among 3/);
  assert.match(told(state, { policy: "random" }), /: not drawn/);
  assert.match(told(state, { policy: "power-of-two" }), /Of two that were drawn among 3/);
  assert.match(told(state, { policy: "power-of-two" }), /1 more were not looked at/);
  assert.match(told(state, { policy: "least-loaded" }), /(cheapest of 3|equally cheap)/);
  assert.match(told(state, { policy: "ttft" }), /cost [\d.]+ ms = queue .* \+ prefill /);
  const direct = { policy: "direct" as const, worker: instanceOf(2) };
  assert.match(told(state, direct), new RegExp(`Why ${text(2)}\n  The request asked for this`));
});

Deno.test("those that could not take it are counted by reason and named", () => {
  const state = stateOf(4);
  hear(state, 4, { draining: true });
  const words = told(state, { deny: [instanceOf(1), instanceOf(3)] });
  assert.match(words, /It was the only worker that could take the request/);
  assert.match(words, new RegExp(`2 left out by the request's hints: ${text(1)}, ${text(3)}`));
  assert.match(words, new RegExp(`1 shutting down: ${text(4)}`));
});
