import assert from "node:assert/strict";
import { pickAny, pickCheapest, pickSoftmax, pickTwo } from "./pick.ts";
import type { Scored } from "./scored.ts";

const scoredOf = (...costs: number[]) => costs.map((cost) => ({ cost }) as Scored);

/** Random numbers from a list; asking for more is a failure. */
function drawFrom(...numbers: number[]) {
  const left = [...numbers];
  return {
    left,
    draw: () => left.shift() ?? assert.fail("one more random number than expected was drawn"),
  };
}

Deno.test("pickCheapest() takes the least cost, and draws only to break a tie", () => {
  const costs = scoredOf(3, 1, 2, 1, 1);
  assert.equal(pickCheapest(costs.slice(0, 3), drawFrom().draw), costs[1]);
  const picked = [0, 0.34, 0.67, 0.999].map((u) => pickCheapest(costs, drawFrom(u).draw));
  assert.deepEqual(picked.map((one) => costs.indexOf(one)), [1, 3, 4, 4]);
});

Deno.test("pickAny() is uniform and draws nothing for one", () => {
  const costs = scoredOf(5, 1, 3, 2);
  const picked = [0, 0.25, 0.5, 0.999].map((u) => pickAny(costs, drawFrom(u).draw));
  assert.deepEqual(picked, costs);
  assert.equal(pickAny(costs.slice(0, 1), drawFrom().draw), costs[0]);
});

Deno.test("pickSoftmax() weighs by exp(-(cost - min) / ((max - min) T))", () => {
  const costs = scoredOf(10, 20, 30);
  // Weights at T = 0.5: 1, e^-1, e^-2.
  const sum = 1 + Math.exp(-1) + Math.exp(-2);
  const edges = [1 / sum, (1 + Math.exp(-1)) / sum];
  const at = (u: number) => costs.indexOf(pickSoftmax(costs, 0.5, drawFrom(u).draw));
  assert.deepEqual([0, edges[0] - 1e-9].map(at), [0, 0]);
  assert.deepEqual([edges[0] + 1e-9, edges[1] - 1e-9].map(at), [1, 1]);
  assert.deepEqual([edges[1] + 1e-9, 1 - 1e-9, 1 - 2 ** -53].map(at), [2, 2, 2]);
});

Deno.test("pickSoftmax() is uniform where all cost the same, and cold at small temperatures", () => {
  const same = scoredOf(4, 4);
  const picked = [0.4, 0.6].map((u) => same.indexOf(pickSoftmax(same, 1, drawFrom(u).draw)));
  assert.deepEqual(picked, [0, 1]);
  const costs = scoredOf(9, 1, 5);
  assert.equal(pickSoftmax(costs, 1e-6, drawFrom(1 - 2 ** -53).draw), costs[1]);
  assert.equal(pickSoftmax(costs.slice(0, 1), 1, drawFrom().draw), costs[0]);
});

Deno.test("pickTwo() takes two different ones", () => {
  const costs = scoredOf(1, 2, 3);
  const pairs = [[0, 0], [0, 0.9], [0.4, 0], [0.4, 0.9], [0.9, 0.9]].map(([a, b]) =>
    pickTwo(costs, drawFrom(a, b).draw).map((one) => one.cost)
  );
  assert.deepEqual(pairs, [[1, 2], [1, 3], [2, 1], [2, 3], [3, 2]]);
  assert.deepEqual(pickTwo(costs.slice(0, 1), drawFrom().draw), costs.slice(0, 1));
});
