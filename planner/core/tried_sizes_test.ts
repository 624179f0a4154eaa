import assert from "node:assert/strict";
import { TriedSizes } from "./tried_sizes.ts";
import type { Counts } from "./mod.ts";

const hourMs = 3_600_000;
const load = { prompts: 100, answers: 100 };

Deno.test("TriedSizes.why() names the size that proved too small for as long as it holds a plan, and nothing else", () => {
  const sizes = new TriedSizes();
  const of = (prefill: number, decode: number): Counts => ({ prefill, decode, both: 0 });
  const take = (nowMs: number, have: Counts, need: Counts) =>
    sizes.take({ nowMs, have, need, load });
  take(0, of(2, 8), of(2, 7));
  take(5_000, of(2, 7), of(2, 7));
  take(65_000, of(2, 7), of(2, 8));
  assert.deepEqual(take(70_000, of(2, 8), of(1, 6)), of(0, 8));
  const said = (want: Counts, nowMs = 70_000) => sizes.why({ want, enough: of(1, 6), nowMs });
  assert.equal(
    said(of(2, 8)),
    "7 decode workers proved too few for this load: not tried again within 4 h",
  );
  assert.equal(said(of(2, 6)), "", "the wish is not held");
  assert.equal(take(5 * hourMs, of(2, 8), of(1, 6)).decode, 0);
  assert.equal(said(of(2, 8), 5 * hourMs), "", "hours have gone by");
});
