import assert from "node:assert/strict";
import fc from "fast-check";
import { stateBytes, stateProblem } from "./state_blob.ts";

const shape = { layers: 2, kvBytesPerToken: 2 * (2 + 4) * 2 };
const tokens = 3;
const start = 6;

/** A state as llama.cpp writes it: three cells out of order, two layers, rows of 4 and 8 bytes. */
function stateOf(): Uint8Array {
  const bytes = new Uint8Array(stateBytes(tokens, shape));
  const view = new DataView(bytes.buffer);
  let at = 0;
  const put = (value: number) => {
    view.setUint32(at, value, true);
    at += 4;
  };
  for (const word of [0xaf143cd8, 5, 1, tokens, 8, 1, 0, 6, 1, 0, 7, 1, 0, 0, 2]) put(word);
  for (const rowBytes of [4, 4, 8, 8]) {
    for (const word of [1, rowBytes, 0]) put(word);
    at += tokens * rowBytes;
  }
  assert.equal(at, bytes.length);
  return bytes;
}

Deno.test("stateProblem() takes a right state, whatever its cells' order and its rows' content", () => {
  const bytes = stateOf();
  assert.equal(stateProblem(bytes, { shape, start, tokens }), undefined);
  bytes.fill(7, bytes.length - 24);
  assert.equal(stateProblem(bytes, { shape, start, tokens }), undefined);
});

Deno.test("stateProblem() names what is wrong", () => {
  const words: readonly [number, number, RegExp][] = [
    [0, 1, /begin/],
    [8, 2, /streams/],
    [12, 4_000_000_000, /number of cells/],
    [16, 6, /twice/],
    [16, 9, /positions/],
    [20, 2, /several sequences/],
    [52, 1, /transposed/],
    [56, 3, /layers/],
    [60, 8, /type/],
    [64, 8, /early|sizes|type|wild/],
    [68, 1, /wild/],
  ];
  for (const [at, value, problem] of words) {
    const bytes = stateOf();
    new DataView(bytes.buffer).setUint32(at, value, true);
    assert.match(stateProblem(bytes, { shape, start, tokens }) ?? "", problem, `${at}`);
  }
  assert.match(stateProblem(stateOf(), { shape, start: 7, tokens }) ?? "", /positions/);
  assert.match(stateProblem(stateOf().subarray(1), { shape, start, tokens }) ?? "", /size/);
});

Deno.test("stateProblem() never throws, whatever the bytes", () => {
  const bytes = stateOf();
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255))), (edits) => {
      const damaged = bytes.slice();
      for (const [at, value] of edits) damaged[at] = value;
      const problem = stateProblem(damaged, { shape, start, tokens });
      assert.ok(problem === undefined || problem.length > 0);
    }),
  );
});
