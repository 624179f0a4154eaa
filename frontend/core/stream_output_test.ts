import assert from "node:assert/strict";
import fc from "fast-check";
import type { EntryExtra, StepEntry } from "@pixii/wire";
import { StreamOutput } from "./stream_output.ts";

function entryOf(firstIndex: number, count: number, extra?: EntryExtra): StepEntry {
  const tokens = Array.from({ length: count }, (_, i) => 100 + firstIndex + i);
  return { tag: 1, firstIndex, tokens, accepted: false, extra };
}

Deno.test("take() cuts what is known and reports what is missing", () => {
  const output = new StreamOutput(new Uint32Array([1, 2]));
  assert.deepEqual([...output.take(entryOf(0, 3)).tokens], [100, 101, 102]);
  assert.deepEqual([...output.take(entryOf(1, 3)).tokens], [103]);
  assert.deepEqual([...output.take(entryOf(0, 4)).tokens], []);
  const gap = output.take(entryOf(5, 2));
  assert.deepEqual([gap.gap, gap.tokens.length, output.next], [true, 0, 4]);
  assert.deepEqual([...output.allTokens()], [1, 2, 100, 101, 102, 103]);
});

Deno.test("take() cuts logprobs like tokens and keeps the cached counts", () => {
  const output = new StreamOutput(new Uint32Array());
  output.take(entryOf(0, 1));
  const logprobs = [0, 1, 2].map((logprob) => ({ logprob: -logprob, top: [] }));
  const cached = { device: 64, host: 0, disk: 0 };
  const taken = output.take(entryOf(0, 3, { logprobs, cached }));
  assert.deepEqual(taken.logprobs, logprobs.slice(1));
  assert.deepEqual(output.cached, cached);
  output.restart();
  assert.deepEqual(output.cached, { device: 0, host: 0, disk: 0 });
});

Deno.test("take() believes an end only when nothing before it is missing", () => {
  const output = new StreamOutput(new Uint32Array());
  const end = { reason: "length" as const, outputTokens: 3 };
  assert.deepEqual(output.take(entryOf(0, 2, { end })).gap, true);
  assert.deepEqual(output.take(entryOf(3, 0, { end })).end, undefined);
  assert.deepEqual(output.take(entryOf(2, 1, { end })).end, end);
});

Deno.test("take() gives each index once and in order, whatever arrives", () => {
  const pieces = fc.array(fc.record({ from: fc.nat(200), count: fc.nat(30) }), { maxLength: 200 });
  fc.assert(fc.property(pieces, (list) => {
    const output = new StreamOutput(new Uint32Array());
    const got: number[] = [];
    for (const { from, count } of list) {
      const before = output.next;
      const taken = output.take(entryOf(from, count));
      got.push(...taken.tokens);
      assert.equal(taken.gap, from > before);
      assert.equal(output.next, taken.gap ? before : Math.max(before, from + count));
    }
    assert.deepEqual(got, Array.from({ length: output.next }, (_, i) => 100 + i));
  }));
});
