import assert from "node:assert/strict";
import fc from "fast-check";
import { WorkerTimes } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import { madeProfile } from "./made_profile_testing.ts";
import { PlannerCore, sizeOf, usualRules } from "./mod.ts";
import type { PlannerRules, PlanRecord, SeenDemand, SeenModel, SeenWorker } from "./mod.ts";

const times = new WorkerTimes(madeProfile);
const minuteMs = 60_000;

function coreWith(more: Partial<PlannerRules> = {}, goal = { ttftMs: 8_000, itlMs: 100 }) {
  const least = { prefill: 1, decode: 1, both: 0 };
  const models = [{ model: "m", goal, layout: "split" as const, least, priority: 0 }];
  return new PlannerCore({ ...usualRules, elastic: true, budgetGpus: 12, models, ...more });
}

function workersOf(prefill: number, decode: number): SeenWorker[] {
  return Array.from({ length: prefill + decode }, (_, i): SeenWorker => ({
    rank: { instance: i.toString(16).padStart(16, "0") as InstanceId, dpRank: 0 },
    ...{ role: i < prefill ? "prefill" : "decode", state: "live", running: 2, waiting: 0 },
    ...{ activeBlocks: 0, cachedBlocks: 0, totalBlocks: 100 },
  }));
}

const truth: SeenDemand = {
  ...{ windowMs: 5_000, rate: 2, isl: 1_000, newTokens: 1_000, osl: 100, waiting: 0 },
  ...{ lateFirst: 0, lateNext: 0 },
};

function seen(demand: SeenDemand | undefined, workers = workersOf(4, 4)): SeenModel {
  return { model: "m", workers, demand, times, maxSeqs: 64, kvTokens: 131_072 };
}

/** Steps every five seconds with what is asked at each; the records. */
function steps(
  core: PlannerCore,
  { fromMs, minutes, demand }: {
    readonly fromMs: number;
    readonly minutes: number;
    readonly demand: SeenDemand | undefined;
  },
): PlanRecord[] {
  return Array.from({ length: 12 * minutes }, (_, i) => {
    const [record] = core.step({ nowMs: fromMs + 5_000 * i, models: [seen(demand)] });
    core.checkIntegrity();
    return record;
  });
}

Deno.test("PlannerCore says what of a goal is out of reach, and stays within its budget", () => {
  const cases = [
    [{ ttftMs: 5, itlMs: 100 }, /out of reach: a mean prompt of \d+ new tokens takes \d+ ms/],
    [{ ttftMs: 8_000, itlMs: 1 }, /out of reach: one step of one sequence takes [\d.]+ ms/],
  ] as const;
  for (const [goal, text] of cases) {
    const [record] = coreWith({}, goal).step({
      ...{ nowMs: 0, models: [seen(truth, workersOf(1, 1))] },
    });
    assert.match(record.bound, text);
    assert.ok(sizeOf(record.want) <= 12, JSON.stringify(record.want));
  }
});

Deno.test("PlannerCore keeps its plan while metrics lie, and plans on when they are true again", () => {
  const lies: readonly Partial<SeenDemand>[] = [
    { rate: NaN },
    { rate: -5 },
    { rate: 1e300 },
    { rate: Infinity },
    { newTokens: -1, isl: NaN },
    { osl: 1e300 },
    { waiting: NaN },
    { waiting: 1e300 },
    { lateFirst: NaN, lateNext: -3 },
    { lateFirst: 1e9, ttftP95Ms: NaN, itlP95Ms: -1 },
  ];
  for (const lie of lies) {
    const core = coreWith({ holdMs: 10 * minuteMs });
    const before = steps(core, { fromMs: 0, minutes: 1, demand: truth }).at(-1)!;
    // Within the hold time: the truth would move nothing either.
    const during = steps(core, {
      ...{ fromMs: minuteMs, minutes: 1, demand: { ...truth, ...lie } },
    });
    for (const { want, moves } of during.slice(0, 6)) {
      assert.deepEqual([want, moves], [before.want, []], JSON.stringify(lie));
    }
    const after = steps(core, { fromMs: 2 * minuteMs, minutes: 2, demand: truth }).at(-1)!;
    assert.ok(sizeOf(after.want) >= 2 && sizeOf(after.want) <= 8, JSON.stringify(after.want));
  }
});

Deno.test("PlannerCore plans by nothing but finite numbers within the budget, whatever workers report", () => {
  const odd = fc.oneof(fc.double(), fc.constantFrom(NaN, Infinity, -1, 1e300, 0));
  const report = fc.record({ running: odd, waiting: odd, activeBlocks: odd, totalBlocks: odd });
  fc.assert(
    fc.property(fc.array(report, { minLength: 5, maxLength: 30 }), (reports) => {
      const core = coreWith();
      reports.forEach((one, i) => {
        const workers = workersOf(3, 3).map((worker) => ({ ...worker, ...one }));
        const [record] = core.step({ nowMs: 30_000 * i, models: [seen(truth, workers)] });
        const { prefill, decode } = record.want;
        assert.ok(Number.isInteger(prefill) && Number.isInteger(decode));
        assert.ok(prefill >= 1 && decode >= 1 && prefill + decode <= 12);
        core.checkIntegrity();
      });
    }),
    { numRuns: 40 },
  );
});

Deno.test("PlannerCore takes a clock that jumps ahead for a gap, and one that jumps back for none", () => {
  const core = coreWith();
  const before = steps(core, { fromMs: 0, minutes: 5, demand: truth }).at(-1)!;
  const dayMs = 86_400_000;
  const [ahead] = core.step({ nowMs: dayMs, models: [seen(truth)] });
  assert.ok(sizeOf(ahead.want) > 0 && sizeOf(ahead.want) <= sizeOf(before.have));
  const later = steps(core, { fromMs: dayMs + 5_000, minutes: 5, demand: truth });
  const wants = new Set(later.map(({ want }) => JSON.stringify(want)));
  assert.ok(wants.size <= 2, [...wants].join());
  assert.deepEqual(core.step({ nowMs: 0, models: [seen(truth)] }), []);
  assert.equal(core.passedOver, 1);
  // It goes on from where its clock was.
  const [again] = core.step({ nowMs: dayMs + 6 * minuteMs, models: [seen(truth)] });
  assert.deepEqual(again.want, later.at(-1)!.want);
});

Deno.test("PlannerCore gives nothing up where nobody says anything", () => {
  const core = coreWith({ holdMs: 0 });
  steps(core, { fromMs: 0, minutes: 1, demand: truth });
  for (const record of steps(core, { fromMs: minuteMs, minutes: 3, demand: undefined })) {
    assert.deepEqual([record.want, record.moves], [record.have, []]);
    assert.match(record.bound, /no word of demand|what is there/);
  }
});
