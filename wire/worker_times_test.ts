import assert from "node:assert/strict";
import fc from "fast-check";
import { workerProfile } from "./worker_profile.ts";
import { sampleProfile } from "./worker_profile_testing.ts";
import { WorkerTimes } from "./worker_times.ts";

function near(got: number, wanted: number): void {
  assert.ok(Math.abs(got - wanted) < 1e-9 * Math.max(1, wanted), `${got} is not ${wanted}`);
}

Deno.test("WorkerTimes is exact on a plane: between the points and behind the last ones", () => {
  const times = new WorkerTimes(sampleProfile);
  fc.assert(fc.property(fc.integer({ min: 10, max: 5000 }), fc.nat(20_000), (tokens, context) => {
    near(times.prefillMs(tokens, context), 1 + tokens / 10 + context / 1000);
  }));
  fc.assert(fc.property(fc.integer({ min: 1, max: 64 }), fc.nat(5000), (sequences, each) => {
    near(times.decodeStepMs(sequences, sequences * each), 2 + sequences + each / 100);
  }));
});

Deno.test("WorkerTimes holds the first point below it, and nothing takes no time", () => {
  const times = new WorkerTimes(sampleProfile);
  near(times.prefillMs(1, 0), 2);
  near(times.prefillMs(10, 0), 2);
  assert.equal(times.prefillMs(0, 500), 0);
  assert.equal(times.decodeStepMs(0, 0), 0);
});

Deno.test("WorkerTimes of one point is that point, and of a falling table never below 0", () => {
  const flat = new WorkerTimes({
    ...sampleProfile,
    prefill: { newTokens: [64], contextTokens: [0], ms: [[7]] },
    decode: { sequences: [1, 2], contextTokens: [0], ms: [[2], [1]] },
  });
  assert.equal(flat.prefillMs(9999, 9999), 7);
  near(flat.decodeStepMs(2, 100), 1);
  assert.equal(flat.decodeStepMs(64, 100), 0);
});

Deno.test("WorkerTimes.onboardMs() scales with the block and knows what was not measured", () => {
  const times = new WorkerTimes(sampleProfile);
  near(times.onboardMs("host", { blocks: 8, blockSize: 64 })!, 2);
  near(times.onboardMs("host", { blocks: 8, blockSize: 16 })!, 0.5);
  assert.equal(times.onboardMs("disk", { blocks: 1, blockSize: 64 }), undefined);
});

Deno.test("workerProfile refuses tables that are not rectangles, axes that do not rise, unknown fields", () => {
  const broken: Record<string, unknown>[] = [
    { prefill: { ...sampleProfile.prefill, ms: [[1, 2]] } },
    { prefill: { ...sampleProfile.prefill, ms: [[1, 2], [3]] } },
    { prefill: { ...sampleProfile.prefill, newTokens: [10, 10] } },
    { decode: { ...sampleProfile.decode, ms: [[1, 2], [3, -4]] } },
    { decode: { sequences: [], contextTokens: [0], ms: [] } },
    { onboardBlockMs: { tape: 1 } },
    { version: 2 },
    { more: 1 },
  ];
  assert.ok(workerProfile.safeParse(sampleProfile).success);
  for (const change of broken) {
    const parsed = workerProfile.safeParse({ ...sampleProfile, ...change });
    assert.equal(parsed.success, false, JSON.stringify(change));
  }
});
