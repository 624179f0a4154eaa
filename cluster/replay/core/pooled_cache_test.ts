import assert from "node:assert/strict";
import fc from "fast-check";
import type { DenseTrace } from "./dense_trace.ts";
import { evictionNames, evictionOrder } from "./eviction_orders.ts";
import { pooledHits } from "./pooled_cache.ts";

/** Prompts of whole blocks and one token more, a second apart. */
function traceOf(prompts: readonly (readonly number[])[]): DenseTrace {
  const requests = prompts.map((blocks, i) => ({
    ...{ atMs: 1000 * i, inputTokens: 16 * blocks.length + 1, blocks: Int32Array.from(blocks) },
  }));
  return {
    ...{ blockSize: 16, distinct: Math.max(0, ...prompts.flat()) + 1, requests },
    inputTokens: requests.reduce((sum, one) => sum + one.inputTokens, 0),
  };
}

const hits = (name: typeof evictionNames[number], trace: DenseTrace, capacity: number) =>
  Math.round(
    pooledHits(trace, capacity, (view) => evictionOrder(name, view)).hitRatio *
      trace.inputTokens / 16,
  );

Deno.test("a least-recently-used cache gives up the oldest prompt, its end first", () => {
  // 1 2 3 are cached, 4 5 take the place of 3 and 2.
  const trace = traceOf([[0, 1, 2], [3, 4], [0, 1, 2]]);
  assert.equal(hits("lru", trace, 3), 1);
  assert.equal(hits("lru", trace, 5), 3);
});

Deno.test("Belady keeps what is asked for again soonest", () => {
  const trace = traceOf([[0], [1], [2], [0], [1]]);
  assert.deepEqual([hits("lru", trace, 2), hits("belady", trace, 2)], [0, 2]);
});

Deno.test("no order finds more than one without a bound, and Belady is the best of all on single blocks", () => {
  const blocks = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 60 });
  fc.assert(fc.property(blocks, fc.integer({ min: 1, max: 8 }), (asked, capacity) => {
    const trace = traceOf(asked.map((block) => [block]));
    const best = hits("belady", trace, capacity);
    for (const name of evictionNames) {
      assert.ok(hits(name, trace, capacity) <= best, name);
      assert.ok(best <= hits(name, trace, 10), name);
    }
  }));
});
