import assert from "node:assert/strict";
import fc from "fast-check";
import { faultKinds, parseSchedule, scheduleText } from "./fault.ts";
import { planFaults } from "./fault_plan.ts";

const targets = ["worker-0", "router-0", "frontend-0"];

Deno.test("parseSchedule() reads what scheduleText() writes, in order of time", () => {
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 1, max: 5 }), (seed, everyS) => {
    let state = seed;
    const draw = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    const faults = planFaults({
      ...{ kinds: faultKinds, targets, fromMs: 100, untilMs: 60_000, everyMs: everyS * 1000, draw },
    });
    assert.ok(faults.every(({ atMs }) => atMs >= 100 && atMs <= 60_000));
    const read = parseSchedule(scheduleText(faults), targets);
    assert.deepEqual(read, { ok: true, value: faults });
  }));
});

Deno.test("parseSchedule() says which fault is wrong and why", () => {
  const cases = [
    ["10 explode worker-0 5", /10 explode worker-0 5.*kind must be one of/],
    ["10 kill worker-9 5", /no worker-9, only worker-0/],
    ["-1 kill worker-0 5", /AT_MS KIND TARGET/],
    ["10 kill worker-0", /AT_MS KIND TARGET/],
    ["10 kill worker-0 5 1 7", /AT_MS KIND TARGET/],
  ] as const;
  for (const [text, wanted] of cases) {
    const read = parseSchedule(`5 slow router-0 10\n${text}`, targets);
    assert.ok(!read.ok);
    assert.match(read.error.message, wanted);
  }
});
