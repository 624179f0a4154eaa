import assert from "node:assert/strict";
import { DrainRate } from "./drain_rate.ts";

Deno.test("waitMs() is what is ahead over the rate at which requests leave", () => {
  const rate = new DrainRate();
  rate.began(1_000);
  assert.equal(rate.perSecond(1_500), undefined);
  for (let i = 1; i <= 10; i++) rate.left(1_000 + 500 * i);
  assert.equal(rate.perSecond(6_000), 2);
  assert.equal(rate.waitMs(9, 6_000), 5_000);
});

Deno.test("waitMs() stays within 1 s and 60 s, and grows while nobody leaves", () => {
  const rate = new DrainRate();
  rate.began(0);
  assert.equal(rate.waitMs(5, 10), 1_000);
  assert.equal(rate.waitMs(5, 7_000), 7_000);
  assert.equal(rate.waitMs(5, 700_000), 60_000);
  for (let i = 0; i < 100; i++) rate.left(i);
  assert.equal(rate.waitMs(1, 100), 1_000);
});

Deno.test("perSecond() goes by the last requests only, and anew when a queue begins", () => {
  const rate = new DrainRate();
  rate.began(0);
  for (let i = 1; i <= 32; i++) rate.left(10_000 * i);
  for (let i = 1; i <= 64; i++) rate.left(320_000 + 100 * i);
  assert.ok(Math.abs(rate.perSecond(326_400)! - 10) < 0.5);
  rate.began(400_000);
  assert.equal(rate.perSecond(400_100), undefined);
});
