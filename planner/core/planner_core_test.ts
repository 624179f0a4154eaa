import assert from "node:assert/strict";
import fc from "fast-check";
import { WorkerTimes } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import { madeProfile } from "./made_profile_testing.ts";
import { PhaseCapacity, PlannerCore, rulesProblems, sizeOf, usualRules } from "./mod.ts";
import type { PlannerRules, SeenModel, SeenWorker } from "./mod.ts";

const times = new WorkerTimes(madeProfile);
const goal = { ttftMs: 8_000, itlMs: 100 };
const room = { maxSeqs: 64, kvTokens: 131_072 };

function rulesWith(more: Partial<PlannerRules> = {}): PlannerRules {
  const least = { prefill: 1, decode: 1, both: 0 };
  const models = [{ model: "m", goal, layout: "split" as const, least, priority: 0 }];
  return { ...usualRules, elastic: true, budgetGpus: 12, models, ...more };
}

function workersOf(prefill: number, decode: number): SeenWorker[] {
  return Array.from({ length: prefill + decode }, (_, i): SeenWorker => ({
    rank: { instance: i.toString(16).padStart(16, "0") as InstanceId, dpRank: 0 },
    ...{ role: i < prefill ? "prefill" : "decode", state: "live", running: i, waiting: 0 },
    ...{ activeBlocks: 0, cachedBlocks: 0, totalBlocks: 100 },
  }));
}

function modelWith(rate: number, workers: SeenWorker[], more: Partial<SeenModel> = {}): SeenModel {
  const demand = { windowMs: 15_000, rate, isl: 1_000, newTokens: 1_000, osl: 100, waiting: 0 };
  return { model: "m", workers, demand, times, ...room, ...more };
}

Deno.test("PhaseCapacity serves more with more workers, and says when a goal is out of reach", () => {
  const capacity = new PhaseCapacity(times, { room, goal });
  const mix = { rate: 1, isl: 1_000, newTokens: 1_000, osl: 100 };
  for (let n = 1; n < 20; n++) {
    assert.ok(capacity.prefillRate(n + 1, mix) > capacity.prefillRate(n, mix));
    assert.ok(capacity.decodeRate(n + 1, mix) > capacity.decodeRate(n, mix));
  }
  assert.deepEqual(capacity.feasible(mix), { possible: true });
  const hard = new PhaseCapacity(times, { room, goal: { ttftMs: 5, itlMs: 100 } }).feasible(mix);
  assert.ok(
    !hard.possible && /takes 1010 ms on an idle worker/.test(hard.why),
    JSON.stringify(hard),
  );
});

Deno.test("PlannerCore never wants more than the budget nor less than the least, whatever it sees", () => {
  const odd = fc.oneof(fc.double({ min: -10, max: 60 }), fc.constantFrom(NaN, Infinity, 1e300));
  fc.assert(
    fc.property(fc.array(odd, { minLength: 1, maxLength: 40 }), (rates) => {
      const core = new PlannerCore(rulesWith());
      let workers = workersOf(1, 1);
      rates.forEach((rate, i) => {
        const [record] = core.step({ nowMs: 5_000 * i, models: [modelWith(rate, workers)] });
        assert.ok(sizeOf(record.want) <= 12, JSON.stringify(record.want));
        assert.ok(record.want.prefill >= 1 && record.want.decode >= 1);
        core.checkIntegrity();
        workers = workersOf(record.want.prefill, record.want.decode);
      });
    }),
    { numRuns: 50 },
  );
});

Deno.test("PlannerCore gives equal records for equal observations, and none while its clock runs back", () => {
  const run = () => {
    const core = new PlannerCore(rulesWith());
    return [0, 5_000, 65_000, 70_000].map((nowMs) =>
      core.step({ nowMs, models: [modelWith(5, workersOf(2, 2))] })
    );
  };
  assert.deepEqual(run(), run());
  const core = new PlannerCore(rulesWith());
  core.step({ nowMs: 10, models: [] });
  assert.deepEqual(core.step({ nowMs: 5, models: [modelWith(5, workersOf(1, 1))] }), []);
  assert.equal(core.passedOver, 1);
});

Deno.test("PlannerCore moves nothing without a profile, while paused, or where most workers are silent", () => {
  const step = (model: SeenModel, paused = false) =>
    new PlannerCore(rulesWith()).step(
      { nowMs: 0, models: [model] },
      paused ? [{ kind: "pause", reason: "deploying" }] : [],
    )[0];
  assert.ok(step(modelWith(20, workersOf(1, 1))).moves.length > 0);
  const blind = step(modelWith(20, workersOf(1, 1), { times: undefined }));
  assert.match(blind.bound, /no measured profile|what is there/);
  assert.match(
    step(modelWith(20, workersOf(1, 1)), true).bound,
    /paused by an operator: deploying/,
  );
  const silent = workersOf(1, 1).map((one): SeenWorker => ({ ...one, state: "stale" }));
  for (const record of [blind, step(modelWith(20, silent))]) assert.deepEqual(record.moves, []);
});

Deno.test("PlannerCore makes a worker answer where all others compute prompts: without a profile, a gain or a rest", () => {
  const core = new PlannerCore(rulesWith({ elastic: false }));
  const blind = { times: undefined, demand: undefined };
  const before = core.step({ nowMs: 0, models: [modelWith(1, workersOf(2, 2), blind)] });
  assert.deepEqual(before[0].moves, []);
  // Who answered died, and came back as what it was started as.
  const [record] = core.step({ nowMs: 5_000, models: [modelWith(1, workersOf(4, 0), blind)] });
  assert.deepEqual(record.want, { prefill: 3, decode: 1, both: 0 });
  const [move, ...others] = record.moves;
  assert.deepEqual([move.kind, others.length], ["flip", 0]);
  assert.match(move.reason, /nobody answers/);
  const veto = { kind: "veto", move: "flip", reason: "no" } as const;
  const seen = { nowMs: 10_000, models: [modelWith(1, workersOf(4, 0), blind)] };
  assert.deepEqual(core.step(seen, [veto])[0].moves, []);
});

Deno.test("PlannerCore that only watches rests behind moves that it sees, not behind those it would have made", () => {
  const run = (watchesOnly: boolean) => {
    const core = new PlannerCore(rulesWith());
    const said: string[] = [];
    // Fewer would do: nobody stops any of them at first, then somebody stops one.
    for (let i = 0; i < 60; i++) {
      const workers = i < 50 ? workersOf(4, 4) : workersOf(4, 3);
      const seen = { nowMs: 5_000 * i, models: [modelWith(1, workers)], watchesOnly };
      const [{ moves, bound }] = core.step(seen);
      said.push(moves.length > 0 ? "moves" : bound);
    }
    return said.slice(40);
  };
  const rests = "cooling down after the last move";
  assert.deepEqual(run(true), [
    ...Array.from({ length: 10 }, () => "moves"),
    ...Array.from({ length: 10 }, () => rests),
  ]);
  assert.ok(run(false).slice(0, 10).includes(rests));
});

Deno.test("rulesProblems() names a budget of zero, a budget below the least, and goals that are none", () => {
  assert.deepEqual(rulesProblems(rulesWith()), []);
  assert.match(rulesProblems(rulesWith({ budgetGpus: 0 })).join(), /budget must be 1 or more/);
  assert.match(rulesProblems(rulesWith({ budgetGpus: 1 })).join(), /least workers are 2/);
  const [model] = rulesWith().models;
  const bad = rulesWith({ models: [{ ...model, goal: { ttftMs: 0, itlMs: -1 } }] });
  assert.match(rulesProblems(bad).join(), /goals of m must be above 0/);
});
