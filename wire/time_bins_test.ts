import assert from "node:assert/strict";
import fc from "fast-check";
import { binQuantile, timeBinOf, timeBins, timeOfBin } from "./time_bins.ts";

Deno.test("timeBinOf() finds a bin whose middle is within 10 % of any time from 1.2 ms to 55 s", () => {
  fc.assert(fc.property(fc.double({ min: 1.2, max: 55_000, noNaN: true }), (ms) => {
    const middle = timeOfBin(timeBinOf(ms));
    assert.ok(Math.abs(middle / ms - 1) < 0.1, `${ms} ms is in the bin of ${middle} ms`);
  }));
  assert.deepEqual([timeBinOf(0), timeBinOf(NaN), timeBinOf(1e9)], [0, 0, timeBins - 1]);
});

Deno.test("binQuantile() takes the bin in which the share lies", () => {
  assert.equal(binQuantile([], 0.5), undefined);
  const bins = [[40, 5], [8, 95]] as const;
  assert.equal(binQuantile(bins, 0.5), timeOfBin(8));
  assert.equal(binQuantile(bins, 0.95), timeOfBin(8));
  assert.equal(binQuantile(bins, 0.96), timeOfBin(40));
});
