import assert from "node:assert/strict";
import fc from "fast-check";
import { greedySampling } from "@pixii/wire";
import type { Sampling } from "@pixii/wire";
import { draw, philox4x32 } from "./draw.ts";
import { expOfMinus } from "./fast_exp.ts";
import { argmax, largest } from "./log_softmax.ts";
import { TokenSampler } from "./sampler.ts";

const plain: Sampling = {
  ...greedySampling,
  seedHi: 1,
  seedLo: 2,
  temperature: 1,
};
const none = { prompt: [], output: [] };

/** The documented order, with a full sort and no shortcut. */
function naive(sampling: Sampling, logits: number[], u: number): number {
  const max = Math.max(...logits);
  let kept = logits.map((logit, id) => ({ id, logit })).sort((a, b) =>
    b.logit - a.logit || a.id - b.id
  );
  if (sampling.topK > 0) kept = kept.slice(0, sampling.topK);
  if (sampling.topP < 1) {
    const weights = kept.map((one) => Math.exp(one.logit - max));
    const sum = weights.reduce((a, b) => a + b, 0);
    let reached = 0;
    let count = 0;
    while (count < kept.length) {
      reached += weights[count++];
      if (reached >= sampling.topP * sum) break;
    }
    kept = kept.slice(0, count);
  }
  if (sampling.minP > 0) kept = kept.filter((one) => one.logit >= max + Math.log(sampling.minP));
  kept.sort((a, b) => a.id - b.id);
  const weights = kept.map((one) => Math.exp((one.logit - max) / sampling.temperature));
  let left = u * weights.reduce((a, b) => a + b, 0);
  for (let i = 0; i < kept.length; i++) {
    left -= weights[i];
    if (left < 0) return kept[i].id;
  }
  return kept[kept.length - 1].id;
}

Deno.test("philox4x32() gives the published known answers", () => {
  assert.deepEqual(philox4x32([0, 0, 0, 0], [0, 0]), [
    0x6627e8d5,
    0xe169c58d,
    0xbc57ac4c,
    0x9b00dbd8,
  ]);
  const ones = 0xffffffff;
  assert.deepEqual(
    philox4x32([ones, ones, ones, ones], [ones, ones]),
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  );
});

Deno.test("draw() is uniform enough and depends on every argument", () => {
  let sum = 0;
  for (let i = 0; i < 4000; i++) sum += draw(3, 4, 0, i);
  assert.ok(Math.abs(sum / 4000 - 0.5) < 0.02);
  const draws = [
    draw(1, 2, 0, 0),
    draw(2, 2, 0, 0),
    draw(1, 3, 0, 0),
    draw(1, 2, 1, 0),
    draw(1, 2, 0, 1),
  ];
  assert.equal(new Set(draws).size, draws.length);
});

Deno.test("TokenSampler draws what the plain definition draws", () => {
  const logit = fc.integer({ min: -80, max: 80 }).map((value) => Math.fround(value / 8));
  fc.assert(
    fc.property(
      fc.array(logit, { minLength: 2, maxLength: 40 }),
      fc.record({
        temperature: fc.constantFrom(0.3, 1, 2),
        topK: fc.constantFrom(0, 3, 10),
        topP: fc.constantFrom(1, 0.9, 0.3),
        minP: fc.constantFrom(0, 0.1),
        seedLo: fc.nat(1000),
      }),
      fc.nat(100),
      (logits, knobs, index) => {
        const sampling = { ...plain, ...knobs };
        const u = draw(sampling.seedHi, sampling.seedLo, 0, index);
        const got = new TokenSampler(sampling, 0, none).sample(Float32Array.from(logits), {
          index,
        });
        assert.equal(got?.token, naive(sampling, logits, u));
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("TokenSampler is greedy at temperature 0, lowest id on ties, and honours bias and bans", () => {
  const greedy = { ...plain, temperature: 0 };
  const pick = (sampling: Sampling, banned?: number[]) =>
    new TokenSampler(sampling, 0, none).sample(Float32Array.of(1, 5, 5, 2), { index: 0, banned })
      ?.token;
  assert.equal(pick(greedy), 1);
  assert.equal(pick(greedy, [1]), 2);
  assert.equal(pick({ ...greedy, logitBias: [[3, 10]] }), 3);
  assert.equal(pick({ ...greedy, logitBias: [[1, -100], [2, -100]] }), 3);
});

Deno.test("TokenSampler penalises what was said, by count, and repetition over the prompt too", () => {
  const greedy = { ...plain, temperature: 0 };
  const logits = () => Float32Array.of(4, 3.5, 3);
  const presence = new TokenSampler({ ...greedy, presencePenalty: 0.6 }, 0, none);
  assert.equal(presence.sample(logits(), { index: 0 })?.token, 0);
  assert.equal(presence.sample(logits(), { index: 1 })?.token, 1);
  const frequency = new TokenSampler({ ...greedy, frequencyPenalty: 0.3 }, 0, {
    prompt: [],
    output: [0],
  });
  assert.equal(frequency.sample(logits(), { index: 1 })?.token, 0);
  assert.equal(frequency.sample(logits(), { index: 2 })?.token, 1);
  const repetition = new TokenSampler({ ...greedy, repetitionPenalty: 2 }, 0, {
    prompt: [0],
    output: [],
  });
  assert.equal(repetition.sample(logits(), { index: 0 })?.token, 1);
});

Deno.test("TokenSampler reports log-probabilities of the raw distribution", () => {
  const sampling = {
    ...plain,
    temperature: 0,
    logprobs: 2,
    logitBias: [[0, 50] as [number, number]],
  };
  const got = new TokenSampler(sampling, 0, none).sample(Float32Array.of(1, 2, 3), { index: 0 });
  const sum = Math.log(Math.exp(1) + Math.exp(2) + Math.exp(3));
  assert.equal(got?.token, 0);
  assert.ok(Math.abs(got!.logprob!.logprob! - (1 - sum)) < 1e-6);
  assert.deepEqual(got!.logprob!.top.map(([id]) => id), [2, 1]);
});

Deno.test("TokenSampler gives nothing where no logit is finite", () => {
  const sampler = new TokenSampler(plain, 0, none);
  assert.equal(sampler.sample(Float32Array.of(NaN, NaN), { index: 0 }), undefined);
  assert.equal(sampler.sample(Float32Array.of(-Infinity, -Infinity), { index: 0 }), undefined);
});

Deno.test("TokenSampler draws what the plain definition draws from a large vocabulary, flat or peaked", () => {
  const vocabSize = 5_003;
  fc.assert(
    fc.property(
      fc.record({
        temperature: fc.constantFrom(0.5, 1, 1.7),
        topK: fc.constantFrom(0, 1, 40, 2_000),
        topP: fc.constantFrom(1, 0.99, 0.5),
        minP: fc.constantFrom(0, 0.01),
        seedLo: fc.nat(1000),
      }),
      fc.constantFrom(0, 0.5, 4, 12),
      (knobs, spread) => {
        const sampling = { ...plain, ...knobs };
        const logits = Float32Array.from(
          { length: vocabSize },
          (_, id) => spread * (draw(knobs.seedLo, id, 0, 0) + draw(id, 7, 0, 1)),
        );
        const u = draw(sampling.seedHi, sampling.seedLo, 0, 3);
        const want = naive(sampling, [...logits], u);
        const got = new TokenSampler(sampling, 0, none).sample(logits, { index: 3 });
        assert.equal(got?.token, want);
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("expOfMinus() is e^-x to two parts in a billion, and 0 far out", () => {
  for (let i = 0; i < 20_000; i++) {
    const x = 64 * draw(1, i, 0, 0) ** 3;
    const want = Math.exp(-x);
    assert.ok(Math.abs(expOfMinus(x) / want - 1) < 2e-9, `e^-${x}`);
  }
  assert.equal(expOfMinus(0), 1);
  for (const x of [64, 1e9, Infinity, NaN]) assert.equal(expOfMinus(x), 0);
});

Deno.test("argmax() and largest() agree with a sort for every length", () => {
  for (let length = 1; length < 40; length++) {
    const logits = Float32Array.from({ length }, (_, i) => Math.round(8 * draw(length, i, 0, 0)));
    const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b);
    assert.equal(argmax(logits), order[0]);
    assert.deepEqual(largest(logits, 5).map(([id]) => id), order.slice(0, 5));
  }
  assert.equal(argmax(Float32Array.of(1, Infinity)), undefined);
  assert.equal(argmax(Float32Array.of(NaN, 2, NaN)), 1);
});

Deno.test("TokenSampler gives the raw log-probability though bias, penalty or a ban changed the logit", () => {
  const sampling = { ...plain, temperature: 0, logprobs: 0, presencePenalty: 1 };
  const sampler = new TokenSampler(sampling, 0, { prompt: [], output: [2] });
  const got = sampler.sample(Float32Array.of(1, 2.5, 3), { index: 1, banned: [1] })!;
  const sum = Math.log(Math.exp(1) + Math.exp(2.5) + Math.exp(3));
  assert.equal(got.token, 2);
  assert.ok(Math.abs(got.logprob!.logprob! - (3 - sum)) < 1e-6);
  assert.deepEqual(got.logprob!.top, []);
});
