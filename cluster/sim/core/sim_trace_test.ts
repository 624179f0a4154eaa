import assert from "node:assert/strict";
import { promptOf, syntheticTrace } from "./sim_trace.ts";

function drawOf(seed: number): () => number {
  let state = seed;
  return () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
}

Deno.test("syntheticTrace() gives requests in order, about as many as asked, the same of the same draws", () => {
  const shape = { minutes: 60, rate: 2, mostOutput: 100 };
  const trace = syntheticTrace({ ...shape, draw: drawOf(7) });
  const { requests } = trace;
  assert.ok(requests.length > 6_500 && requests.length < 7_900, `${requests.length}`);
  assert.ok(requests.every((one, i) => i === 0 || one.atMs >= requests[i - 1].atMs));
  assert.ok(requests.every((one) => one.outputTokens >= 1 && one.outputTokens <= 100));
  assert.deepEqual(syntheticTrace({ ...shape, draw: drawOf(7) }), trace);
});

Deno.test("promptOf() gives equal tokens to equal blocks and others to everything else", () => {
  const options = { blockTokens: 4, vocabSize: 2048, salt: 1 };
  const request = { atMs: 0, inputTokens: 10, outputTokens: 1, blocks: [5, 9] };
  const tokens = promptOf(request, options);
  assert.equal(tokens.length, 10);
  assert.ok(tokens.every((token) => token >= 300 && token < 2048));
  const other = promptOf({ ...request, blocks: [5, 8] }, { ...options, salt: 2 });
  assert.deepEqual(other.subarray(0, 4), tokens.subarray(0, 4));
  assert.notDeepEqual(other.subarray(4, 8), tokens.subarray(4, 8));
  assert.notDeepEqual(other.subarray(8), tokens.subarray(8));
});
