import assert from "node:assert/strict";
import { idealTtft } from "./ideal_line.ts";

Deno.test("in one line a request waits for the first worker that is free, and computes what is not cached", () => {
  const prompt = (atMs: number) => ({ atMs, inputTokens: 100, blocks: new Int32Array(10) });
  const trace = {
    ...{ blockSize: 10, distinct: 10, inputTokens: 300 },
    requests: [prompt(0), prompt(0), prompt(10)],
  };
  const hits = Int32Array.from([0, 5, 0]);
  const { meanMs } = idealTtft(trace, { hits, workers: 2, tokenMs: 1, rate: 1 });
  // 100 ms, 50 ms, and 40 ms of waiting before 100 ms.
  assert.equal(Math.round(3 * meanMs), 290);
});
