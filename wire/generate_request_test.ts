import assert from "node:assert/strict";
import fc from "fast-check";
import { encode } from "./codec.ts";
import type { GenerateRequest } from "./generate.ts";
import { decodeGenerateRequest, encodeGenerateRequest } from "./generate_request.ts";
import { sampleMessages } from "./sample_messages_testing.ts";

const sample = sampleMessages.generateRequest;
const u32 = fc.nat(0xffffffff);
const within = (min: number, max: number) => fc.double({ min, max, noNaN: true });

const anyRequest: fc.Arbitrary<GenerateRequest> = fc.record({
  requestId: fc.constant(sample.requestId),
  attempt: fc.nat(0xffff),
  leg: fc.nat(0xffff),
  tag: u32,
  frontend: fc.constant(sample.frontend),
  model: fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
  dpRank: fc.option(fc.nat(0xffff), { nil: undefined }),
  tokens: fc.array(u32, { maxLength: 200 }).map((ids) =>
    new Uint8Array(Uint32Array.from(ids).buffer)
  ),
  emitted: u32,
  choice: fc.nat(0xffff),
  sampling: fc.record({
    ...{ seedHi: u32, seedLo: u32, temperature: within(0, 2), topK: u32, topP: within(0, 1) },
    ...{ minP: within(0, 1), presencePenalty: within(-2, 2), frequencyPenalty: within(-2, 2) },
    repetitionPenalty: within(0.01, 100),
    logitBias: fc.array(fc.tuple(u32, within(-100, 100)), { maxLength: 20 }),
    logprobs: fc.integer({ min: -1, max: 20 }),
  }),
  stop: fc.record({
    ...{ maxTokens: u32.filter((n) => n > 0), minTokens: u32, ignoreEos: fc.boolean() },
    stopTokenIds: fc.array(u32, { maxLength: 64 }),
  }),
  tenantSalt: fc.string({ unit: "grapheme", maxLength: 20 }),
  adapter: fc.string({ maxLength: 20 }),
  priority: fc.integer({ min: -1000, max: 1000 }),
  remainingMs: u32,
  handover: fc.option(
    fc.record({
      part: fc.constantFrom("give", "take"),
      kvbm: fc.option(fc.constant(sample.frontend), { nil: undefined }),
    }),
    { nil: undefined },
  ),
  holder: fc.option(fc.record({ kvbm: fc.constant(sample.frontend), first: u32, end: u32 }), {
    nil: undefined,
  }),
});

const plain = (value: unknown) =>
  JSON.parse(JSON.stringify(value, (_, one) => Object.is(one, -0) ? 0 : one));

Deno.test("decodeGenerateRequest() gives back any request", () => {
  fc.assert(
    fc.property(anyRequest, (request) => {
      const back = decodeGenerateRequest(encodeGenerateRequest(request));
      assert.ok(back.ok, back.ok ? "" : back.error.message);
      assert.deepEqual(plain(back.value), plain(request));
    }),
    { numRuns: 500 },
  );
});

Deno.test("decodeGenerateRequest() still reads MessagePack", () => {
  const back = decodeGenerateRequest(encode("generateRequest", sample));
  assert.ok(back.ok);
  assert.deepEqual(plain(back.value), plain(sample));
});

Deno.test("decodeGenerateRequest() names the field that is out of range", () => {
  const cases: [RegExp, Partial<GenerateRequest>][] = [
    [/sampling\.temperature: 0 to 2/, { sampling: { ...sample.sampling, temperature: 2.1 } }],
    [/sampling\.topP/, { sampling: { ...sample.sampling, topP: NaN } }],
    [/sampling\.logprobs/, { sampling: { ...sample.sampling, logprobs: 21 } }],
    [/sampling\.logitBias/, { sampling: { ...sample.sampling, logitBias: [[1, 101]] } }],
    [/stop\.maxTokens/, { stop: { ...sample.stop, maxTokens: 0 } }],
    [/too many stop tokens/, { stop: { ...sample.stop, stopTokenIds: new Array(65).fill(1) } }],
    [/model: 1 to 256 bytes/, { model: "" }],
    [/model: 1 to 256 bytes/, { model: "x".repeat(257) }],
    [/tenantSalt, adapter/, { tenantSalt: "x".repeat(1025) }],
    [/priority/, { priority: 1001 }],
  ];
  for (const [message, change] of cases) {
    const back = decodeGenerateRequest(encodeGenerateRequest({ ...sample, ...change }));
    assert.ok(!back.ok, String(message));
    assert.match(back.error.message, message);
    assert.equal(back.error.code, "decode_error");
  }
  const bytes = encodeGenerateRequest({ ...sample, handover: { part: "give" } });
  for (let cut = 0; cut < bytes.length; cut++) {
    assert.equal(decodeGenerateRequest(bytes.subarray(0, cut)).ok, false, `cut at ${cut}`);
  }
});
