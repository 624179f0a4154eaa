import assert from "node:assert/strict";
import { WorkerTimes } from "@pixii/wire";
import { flatProfile } from "../profile_testing.ts";
import { mockerTime, profileTime } from "./step_time.ts";
import type { StepShape } from "./step_time.ts";

const nothing: StepShape = {
  prefillTokens: 0,
  prefillContext: 0,
  decodeSequences: 0,
  activeTokens: 0,
  capacityTokens: 1000,
  hostTokens: 0,
};

function near(got: number, wanted: number): void {
  assert.ok(Math.abs(got - wanted) < 1e-9 * Math.max(1, wanted), `${got} is not ${wanted}`);
}

Deno.test("mockerTime() is the mocker's polynomials, each half where it is done", () => {
  assert.deepEqual(mockerTime(nothing), { prefillMs: 0, decodeMs: 0 });
  const prefill = mockerTime({ ...nothing, prefillTokens: 1000 });
  near(prefill.prefillMs, 0.4209989 + 15.18344 + 16.50142);
  assert.equal(prefill.decodeMs, 0);
  const decode = mockerTime({ ...nothing, decodeSequences: 8, activeTokens: 500 });
  near(decode.decodeMs, -25.74 * 0.25 + 54.01 * 0.5 + 5.74);
  const full = mockerTime({ ...nothing, decodeSequences: 8, activeTokens: 5000 });
  near(full.decodeMs, -25.74 + 54.01 + 5.74);
  near(mockerTime({ ...nothing, hostTokens: 64 }).prefillMs, 64 * 131_072 / 64e9 * 1000);
});

Deno.test("profileTime() asks the profile for each half: all prompts as one run behind their mean context", () => {
  const profile = {
    ...flatProfile({ prefillMs: 0, decodeMs: 0, hostMs: 0.5 }),
    prefill: { newTokens: [0, 100], contextTokens: [0, 1000], ms: [[0, 0], [10, 20]] },
    decode: { sequences: [1, 3], contextTokens: [0, 100], ms: [[1, 2], [3, 4]] },
  };
  const time = profileTime(new WorkerTimes(profile));
  assert.deepEqual(time(nothing), { prefillMs: 0, decodeMs: 0 });
  near(time({ ...nothing, decodeSequences: 2, activeTokens: 100 }).decodeMs, 2.5);
  const both = { ...nothing, prefillTokens: 50, prefillContext: 50 * 400, hostTokens: 32 };
  near(time(both).prefillMs, 7 + 1);
  const unmeasured = profileTime(new WorkerTimes({ ...profile, onboardBlockMs: {} }));
  near(unmeasured({ ...nothing, hostTokens: 64 }).prefillMs, 64 * 131_072 / 64e9 * 1000);
});
