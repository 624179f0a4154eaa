import assert from "node:assert/strict";
import { LeftSizes } from "./left_sizes.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A job that went from 8 to 7 workers and needed 8 again after so long, every step under the same load. */
function regretted(afterMs: number): { readonly sizes: LeftSizes; readonly nowMs: number } {
  const sizes = new LeftSizes();
  sizes.take({ nowMs: 0, have: 8, need: 7, load: 100 });
  sizes.take({ nowMs: 5_000, have: 7, need: 7, load: 100 });
  sizes.take({ nowMs: 5_000 + afterMs, have: 7, need: 8, load: 100 });
  return { sizes, nowMs: 5_000 + afterMs };
}

/** What a minute of steps with this load answers at its end. */
function after(sizes: LeftSizes, fromMs: number, load: number): number {
  let fewest = 0;
  for (let i = 1; i <= 60; i++) {
    fewest = sizes.take({ nowMs: fromMs + 5_000 * i, have: 8, need: 7, load });
  }
  return fewest;
}

Deno.test("LeftSizes does not go back to a size that was needed again soon, and does to one that was enough for long", () => {
  const soon = regretted(3 * minuteMs);
  assert.equal(after(soon.sizes, soon.nowMs, 100), 8);
  const late = regretted(30 * minuteMs);
  assert.equal(after(late.sizes, late.nowMs, 100), 0);
});

Deno.test("LeftSizes forgets a size where the load is another one, or hours have gone by", () => {
  const { sizes, nowMs } = regretted(minuteMs);
  assert.equal(after(sizes, nowMs, 80), 0, "a smaller load needs fewer");
  assert.equal(after(sizes, nowMs + hourMs, 100), 8, "the same load needs as many");
  assert.equal(after(sizes, nowMs + 5 * hourMs, 100), 0);
});

Deno.test("LeftSizes remembers a size twice as long where it proves too small again", () => {
  const { sizes, nowMs } = regretted(minuteMs);
  const againMs = nowMs + 5 * hourMs;
  sizes.take({ nowMs: againMs, have: 8, need: 7, load: 100 });
  sizes.take({ nowMs: againMs + minuteMs, have: 7, need: 8, load: 100 });
  assert.equal(after(sizes, againMs + 6 * hourMs, 100), 8);
  assert.equal(after(sizes, againMs + 9 * hourMs, 100), 0);
});

Deno.test("LeftSizes holds nothing against a job that only grows", () => {
  const sizes = new LeftSizes();
  for (let i = 0; i < 50; i++) {
    assert.equal(sizes.take({ nowMs: 5_000 * i, have: 4 + i, need: 6 + i, load: 100 + i }), 0);
  }
});
