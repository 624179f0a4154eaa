import assert from "node:assert/strict";
import fc from "fast-check";
import { ageBin, ageBins, ageEdge } from "./age_bins.ts";
import { ReuseSample } from "./reuse_sample.ts";
import { WorthTable } from "./worth_table.ts";

const classes = 3;

Deno.test("ageBin() answers the bin between whose edges an age lies", () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 2e8, noNaN: true }), (age) => {
    const bin = ageBin(age);
    const slack = 1e-6 * (1 + age);
    assert.ok(ageEdge(bin) <= age + slack && age < ageEdge(bin + 1) + slack, `${age} in ${bin}`);
  }));
});

/** Time that a block of an age was at risk in a bin. */
function within(bin: number, age: number): number {
  return Math.max(0, Math.min(age, ageEdge(bin + 1)) - ageEdge(bin));
}

Deno.test("riskUntil() is the time that every last use has spent in each bin, however often pass() was called", () => {
  const step = fc.record({
    key: fc.integer({ min: 0, max: 20 }),
    of: fc.integer({ min: 0, max: classes - 1 }),
    later: fc.integer({ min: 1, max: 3_000 }),
    passes: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const sample = new ReuseSample({ classes, slots: 100 });
    const last = new Map<number, { at: number; of: number }>();
    const [uses, risk] = [
      new Float64Array(classes * ageBins),
      new Float64Array(classes * ageBins),
    ];
    const spent = ({ at, of }: { at: number; of: number }, now: number) => {
      for (let bin = 0; bin < ageBins; bin++) risk[of * ageBins + bin] += within(bin, now - at);
    };
    let now = 0;
    for (const { key, of, later, passes } of steps) {
      now += later;
      if (passes) sample.pass(now);
      const before = last.get(key);
      if (before !== undefined) {
        uses[before.of * ageBins + ageBin(now - before.at)] += 1;
        spent(before, now);
      }
      sample.used(key, of, now);
      last.set(key, { at: now, of });
    }
    for (const one of last.values()) spent(one, now);
    sample.pass(now);
    assert.deepEqual(sample.uses, uses);
    sample.riskUntil(now).forEach((time, i) =>
      assert.ok(Math.abs(time - risk[i]) < 1e-6 * (1 + risk[i]), `${i}: ${time}, not ${risk[i]}`)
    );
  }));
});

Deno.test("weigh() makes a class worth more the more often its blocks came back, and one never seen nothing", () => {
  const sample = new ReuseSample({ classes: 576, slots: 100 });
  let now = 0;
  for (let round = 0; round < 400; round++) {
    now += 200;
    sample.used(1_000 + round % 10, 0, now);
    sample.used(100_000 + round, 300, now);
  }
  sample.pass(now);
  const table = new WorthTable();
  table.weigh({ classes: sample.classes, uses: sample.uses, risk: sample.riskUntil(now) });
  assert.ok(table.of(0, 10) > 3 * table.of(300, 10), `${table.of(0, 10)}, ${table.of(300, 10)}`);
  assert.equal(table.of(7, 10), 0);
});
