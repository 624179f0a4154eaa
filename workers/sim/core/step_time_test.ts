import assert from "node:assert/strict";
import { mockerTime, profileTime } from "./step_time.ts";
import type { StepShape } from "./step_time.ts";

const nothing: StepShape = {
  prefillTokens: 0,
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

Deno.test("profileTime() adds what a step has, the step's own time once", () => {
  const time = profileTime({
    stepMs: 1,
    prefillMs: 10,
    prefillTokenMs: 0.1,
    prefillTokenSquaredMs: 0.01,
    decodeMs: 100,
    decodeSequenceMs: 2,
    decodeContextTokenMs: 0.5,
    hostTokenMs: 0.25,
  });
  assert.deepEqual(time(nothing), { prefillMs: 0, decodeMs: 0 });
  const decode = { ...nothing, decodeSequences: 3, activeTokens: 4 };
  near(time(decode).decodeMs, 1 + 100 + 6 + 2);
  near(time({ ...nothing, prefillTokens: 10 }).prefillMs, 1 + 10 + 1 + 1);
  const both = time({ ...decode, prefillTokens: 10, hostTokens: 4 });
  near(both.prefillMs, 13 + 1);
  near(both.decodeMs, 108);
});
