import assert from "node:assert/strict";
import { agentSessions, turnOrder } from "./agent_sessions.ts";

const shape = { sessions: 6, turns: 3, systems: 2, systemWords: 20, taskWords: 30, turnWords: 10 };

Deno.test("agentSessions() is the same for a seed, and shares its system prompts", () => {
  const sessions = agentSessions(shape, 7);
  assert.deepEqual(agentSessions(shape, 7), sessions);
  assert.notDeepEqual(agentSessions(shape, 8), sessions);
  assert.equal(new Set(sessions.map((one) => one.system)).size, 2);
  assert.equal(new Set(sessions.flatMap((one) => one.says)).size, 18);
});

Deno.test("turnOrder() is a permutation, another for most seeds", () => {
  const orders = Array.from({ length: 20 }, (_, seed) => turnOrder(8, seed));
  for (const order of orders) {
    assert.deepEqual(order.toSorted((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7]);
  }
  assert.ok(new Set(orders.map(String)).size > 15);
});
