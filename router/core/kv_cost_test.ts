import assert from "node:assert/strict";
import { cardOf, instanceOf } from "../testing/samples.ts";
import { bookingOf } from "./booking.ts";
import { kvCredit, priceKv } from "./kv_cost.ts";
import type { KvWeights } from "./kv_cost.ts";
import { RankLoad } from "./rank_load.ts";
import type { Scored } from "./scored.ts";

const weights: KvWeights = {
  ...{ temperature: 0, prefillScale: 1, activeWeight: 0 },
  ...{ deviceCredit: 1, hostCredit: 0.75, diskCredit: 0.25 },
};

function scoredOf(
  number: number,
  options: {
    readonly overlap?: readonly [number, number, number];
    /** Prefill tokens and blocks of what is booked. */
    readonly booked?: readonly (readonly [number, number])[];
    readonly blockSize?: number;
  } = {},
): Scored {
  const { overlap: [device, host, disk] = [0, 0, 0], booked = [], blockSize = 16 } = options;
  const worker = { instance: instanceOf(number), dpRank: 0 };
  const load = new RankLoad();
  booked.forEach(([prefillTokens, blocks], i) => {
    const key = { requestId: `${number}${i}` as never, attempt: 0, leg: 0 };
    const claim = { worker, frontend: instanceOf(0xf1), prefillTokens, blocks };
    load.add(bookingOf(key, claim, { nowMs: 0, isConfirmed: true }));
  });
  const rank = {
    ...{ key: `${number}`, worker, load, owners: {}, sources: [] },
    ...{ card: cardOf(number, { blockSize }), report: undefined, isStranger: false, lastTurn: 0 },
  };
  return { rank, overlap: { device, host, disk }, terms: {}, cost: 0 };
}

Deno.test("kvCredit() weighs the tiers 1, 0.75 and 0.25", () => {
  assert.equal(kvCredit({ device: 3, host: 2, disk: 4 }, weights), 3 + 1.5 + 1);
});

Deno.test("priceKv() is the formula, by hand", () => {
  // isl 100 in blocks of 16: 6.25 blocks to compute, 7 to hold.
  const idle = scoredOf(1);
  const warm = scoredOf(2, { overlap: [4, 0, 0] });
  const tiers = scoredOf(3, { overlap: [1, 2, 2] });
  const busy = scoredOf(4, { booked: [[40, 10], [24, 3]] });
  const both = scoredOf(5, { overlap: [6, 0, 0], booked: [[8, 10]] });
  priceKv([idle, warm, tiers, busy, both], 100, weights);
  assert.deepEqual(idle.terms, { prefill: 6.25, decode: 7, active: 0 });
  assert.deepEqual(warm.terms, { prefill: 2.25, decode: 7, active: 0 });
  assert.deepEqual(tiers.terms, { prefill: 6.25 - 1 - 1.5 - 0.5, decode: 7, active: 0 });
  assert.deepEqual(busy.terms, { prefill: 6.25 + 4, decode: 13 + 7, active: 0 });
  assert.deepEqual(both.terms, { prefill: 0.75, decode: 10 + 7, active: 0 });
  const costs = [idle, warm, tiers, busy, both].map((one) => one.cost);
  assert.deepEqual(costs, [13.25, 9.25, 10.25, 30.25, 17.75]);
});

Deno.test("priceKv() never credits more than there is to compute, and obeys its weights", () => {
  const one = scoredOf(1, { overlap: [6, 0, 0], booked: [[0, 2], [0, 3]] });
  priceKv([one], 96, { ...weights, prefillScale: 2, activeWeight: 1.5 });
  assert.deepEqual(one.terms, { prefill: 0, decode: 5 + 6, active: 3 });
  const other = scoredOf(1, { overlap: [2, 0, 0], booked: [[0, 2], [0, 3]] });
  priceKv([other], 96, { ...weights, prefillScale: 2, activeWeight: 1.5, deviceCredit: 0.5 });
  assert.deepEqual(other.terms, { prefill: 2 * 5, decode: 5 + 6, active: 3 });
  assert.equal(other.cost, 24);
});

Deno.test("priceKv() tells the costs of different block sizes in the smallest of them", () => {
  const small = scoredOf(1, { overlap: [4, 0, 0], booked: [[32, 4]] });
  const large = scoredOf(2, { overlap: [1, 0, 0], booked: [[32, 1]], blockSize: 64 });
  priceKv([small, large], 128, weights);
  assert.deepEqual(small.terms, { prefill: 10 - 4, decode: 4 + 8, active: 0 });
  // In blocks of 64: 2.5 - 1 to compute, 1 + 2 to hold; each is 4 blocks of 16.
  assert.deepEqual(large.terms, { prefill: 6, decode: 12, active: 0 });
});

Deno.test("with a decay the device's credit fades with what waits beyond the least loaded", () => {
  const busy = scoredOf(1, { overlap: [4, 0, 0], booked: [[64, 4]] });
  const idle = scoredOf(2, { overlap: [4, 0, 0] });
  priceKv([busy, idle], 64, { ...weights, creditDecay: 1 });
  // 64 tokens in excess are as many as the request has: half the credit.
  assert.deepEqual([busy.terms.prefill, idle.terms.prefill], [8 - 2, 0]);
});
