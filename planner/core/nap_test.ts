import assert from "node:assert/strict";
import fc from "fast-check";
import type { InstanceId } from "@pixii/wire";
import { PlannerCore, rulesProblems, sizeOf, usualRules } from "./mod.ts";
import type { ModelRules, Override, PlanRecord, SeenModel, SeenWorker } from "./mod.ts";
import { startRooms } from "./start_room.ts";

const goal = { ttftMs: 500, itlMs: 50 };
const hour = 3_600_000;

function ruleOf(model: string, more: Partial<ModelRules> = {}): ModelRules {
  const least = { prefill: 0, decode: 0, both: 1 };
  return { model, goal, layout: "both", least, priority: 0, sleepAfterMs: hour, ...more };
}

function worker(number: number, more: Partial<SeenWorker> = {}): SeenWorker {
  const instance = number.toString(16).padStart(16, "0") as InstanceId;
  return {
    ...{ rank: { instance, dpRank: 0 }, role: "both", state: "live", running: 0, waiting: 0 },
    ...{ activeBlocks: 0, cachedBlocks: 0, totalBlocks: 100 },
    ...more,
  };
}

/** A model as it is seen; without a profile, as most are. */
function seenOf(
  model: string,
  workers: readonly SeenWorker[],
  { waiting = 0, rate = 0, idleMs = 0 }: {
    readonly waiting?: number;
    readonly rate?: number;
    readonly idleMs?: number;
  } = {},
): SeenModel {
  const lengths = { isl: undefined, newTokens: undefined, osl: undefined };
  const demand = { windowMs: 5_000, rate, waiting, ...lengths };
  return { model, workers, demand, idleMs, times: undefined, maxSeqs: 8, kvTokens: 1_000 };
}

function coreOf(models: readonly ModelRules[], budgetGpus: number): PlannerCore {
  return new PlannerCore({ ...usualRules, elastic: true, models, budgetGpus });
}

const said = (records: readonly PlanRecord[]) =>
  records.flatMap(({ moves }) => moves.map(({ kind, model }) => `${kind} ${model}`));

Deno.test("a model that nobody asked for long enough goes to sleep, and wakes with the first request, each saying why", () => {
  const core = coreOf([ruleOf("a")], 4);
  const step = (nowMs: number, model: SeenModel) => core.step({ nowMs, models: [model] })[0];
  assert.deepEqual(step(1, seenOf("a", [worker(1)], { idleMs: hour - 1 })).moves, []);
  for (const [nowMs, busy] of [[2, { running: 1 }], [3, { waiting: 1 }]] as const) {
    const record = step(nowMs, seenOf("a", [worker(1, busy)], { idleMs: hour }));
    assert.deepEqual(record.moves, [], "what runs or waits keeps it awake");
  }
  assert.deepEqual(step(4, seenOf("a", [worker(1)], { waiting: 1, idleMs: hour })).moves, []);
  const slept = step(5, seenOf("a", [worker(1)], { idleMs: hour + 400 }));
  assert.deepEqual(said([slept]), ["stop a"]);
  assert.equal(slept.moves[0].reason, "goes to sleep: nobody asked for it for 3600 s");
  const asleep = step(6, seenOf("a", [worker(1, { state: "draining" })], { idleMs: hour }));
  assert.deepEqual([asleep.moves, asleep.bound], [[], "asleep: nobody asks for it"]);
  const woken = step(7, seenOf("a", [], { waiting: 3 }));
  assert.deepEqual(said([woken]), ["start a"]);
  assert.equal(woken.moves[0].reason, "wakes: 3 requests wait for it");
  const starting = worker(9, { state: "starting" });
  assert.deepEqual(step(8, seenOf("a", [starting], { waiting: 3 })).moves, []);
  assert.deepEqual(step(9, seenOf("a", [starting], { idleMs: 0 })).moves, []);
});

Deno.test("a split model wakes with both its halves; one that may not sleep keeps its least", () => {
  const least = { prefill: 1, decode: 2, both: 0 };
  const core = coreOf([ruleOf("a", { layout: "split", least })], 4);
  const [record] = core.step({ nowMs: 1, models: [seenOf("a", [], { waiting: 1 })] });
  assert.deepEqual(record.want, least);
  const awake = coreOf([ruleOf("a", { sleepAfterMs: undefined })], 4);
  const step = (nowMs: number, workers: SeenWorker[]) =>
    awake.step({ nowMs, models: [seenOf("a", workers, { idleMs: 9 * hour })] });
  assert.deepEqual(said(step(1, [worker(1)])), []);
  assert.deepEqual(said(step(2, [])), ["start a"]);
});

Deno.test("orders stand above sleep: pinned workers stay, a paused model neither sleeps nor wakes", () => {
  const idle = seenOf("a", [worker(1)], { idleMs: 2 * hour });
  const step = (models: readonly SeenModel[], overrides: readonly Override[], gpus = 4) =>
    said(coreOf([ruleOf("a"), ruleOf("b")], gpus).step({ nowMs: 1, models }, overrides));
  const reason = "a test";
  const counts = { prefill: 0, decode: 0, both: 1 };
  assert.deepEqual(step([idle], []), ["stop a"]);
  assert.deepEqual(step([idle], [{ kind: "pin", model: "a", counts, reason }]), []);
  assert.deepEqual(step([idle], [{ kind: "pause", reason }]), []);
  assert.deepEqual(step([seenOf("a", [], { waiting: 1 })], [{ kind: "pause", reason }]), []);
  const zero = { prefill: 0, decode: 0, both: 0 };
  const asked = seenOf("a", [], { waiting: 1 });
  assert.deepEqual(step([asked], [{ kind: "pin", model: "a", counts: zero, reason }]), []);
  const wakes = seenOf("b", [], { waiting: 1 });
  const pin = { kind: "pin", model: "a", counts, reason } as const;
  assert.deepEqual(step([seenOf("a", [worker(1)]), wakes], [pin], 1), [], "nor does it give way");
  const two = { ...pin, counts: { ...counts, both: 2 } };
  const both = seenOf("a", [worker(1), worker(2)]);
  assert.deepEqual(step([both, wakes], [two], 2), [], "with none of its workers");
  assert.deepEqual(step([both, wakes], [two], 3), ["start b"]);
});

Deno.test("one GPU goes from an idle model to one that is asked for, and never to both at a time", () => {
  const core = coreOf([ruleOf("a", { priority: 5 }), ruleOf("b")], 1);
  const step = (nowMs: number, a: SeenModel, b: SeenModel) =>
    core.step({ nowMs, models: [a, b], isEarly: nowMs > 1 });
  assert.deepEqual(said(step(1, seenOf("a", [worker(1)]), seenOf("b", []))), []);
  const gives = step(2, seenOf("a", [worker(1)]), seenOf("b", [], { waiting: 1 }));
  assert.deepEqual(said(gives), ["stop a"]);
  assert.equal(gives[0].moves[0].reason, "gives way: requests wait for b");
  assert.match(gives[1].bound, /waits for a GPU/);
  const drains = worker(1, { state: "draining", running: 1 });
  const held = step(3, seenOf("a", [drains]), seenOf("b", [], { waiting: 1 }));
  assert.deepEqual(said(held), [], "it holds its GPU until it is gone");
  const starts = step(4, seenOf("a", []), seenOf("b", [], { waiting: 1 }));
  assert.deepEqual(said(starts), ["start b"]);
  // The more important model takes it back as soon as it is asked for.
  const back = step(5, seenOf("a", [], { waiting: 1 }), seenOf("b", [worker(2, { running: 1 })]));
  assert.deepEqual(said(back), ["stop b"]);
});

Deno.test("two models that are asked for all the time take turns, and do not flap", () => {
  const core = coreOf([ruleOf("a"), ruleOf("b")], 1);
  let [a, b]: SeenWorker[][] = [[worker(1)], []];
  const moves: string[] = [];
  for (let nowMs = 5_000; nowMs <= 600_000; nowMs += 5_000) {
    const busy = (workers: SeenWorker[]) => workers.map((one) => ({ ...one, running: 2 }));
    const asked = (model: string, workers: SeenWorker[]) =>
      seenOf(model, busy(workers), { rate: 1, waiting: workers.length === 0 ? 3 : 0 });
    const records = core.step({ nowMs, models: [asked("a", a), asked("b", b)] });
    moves.push(...said(records).map((text) => `${nowMs / 1_000} ${text}`));
    // What is told to end is gone by the next step, what is started serves by then.
    for (const { moves: [move] } of records) {
      if (move?.kind === "start") move.model === "a" ? a = [worker(1)] : b = [worker(2)];
      if (move?.kind === "stop") move.model === "a" ? a = [] : b = [];
    }
  }
  const starts = moves.filter((text) => text.includes("start"));
  assert.ok(starts.length >= 6 && starts.length <= 9, moves.join(", "));
  assert.deepEqual(moves.slice(0, 4), ["65 stop a", "70 start b", "135 stop b", "140 start a"]);
});

Deno.test("PlannerCore never has more workers than the budget, whatever models are asked for", () => {
  const ask = fc.record({ waiting: fc.nat(3), rate: fc.nat(2), idle: fc.boolean() });
  const rounds = fc.array(fc.tuple(ask, ask, ask), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(rounds, fc.integer({ min: 1, max: 3 }), (all, budget) => {
      const names = ["a", "b", "c"];
      const core = coreOf(names.map((name, i) => ruleOf(name, { priority: i % 2 })), budget);
      const there = new Map(names.map((name) => [name, [] as SeenWorker[]]));
      let made = 0;
      all.forEach((asks, round) => {
        const models = names.map((name, i) =>
          seenOf(name, there.get(name)!, { ...asks[i], idleMs: asks[i].idle ? 2 * hour : 0 })
        );
        const records = core.step({ nowMs: 5_000 * (round + 1), models });
        for (const name of names) {
          // What drained is gone, what started serves.
          const next = there.get(name)!.filter(({ state }) => state !== "draining")
            .map((one): SeenWorker => ({ ...one, state: "live" }));
          there.set(name, next);
        }
        for (const { moves, model } of records) {
          for (const move of moves) {
            if (move.kind === "start") {
              there.get(model)!.push(worker(++made, { state: "starting" }));
            } else {
              const { instance } = move.kind === "stop" ? move.rank : { instance: "" };
              there.set(
                model,
                there.get(model)!.map((one): SeenWorker =>
                  one.rank.instance === instance ? { ...one, state: "draining" } : one
                ),
              );
            }
          }
        }
        const size = names.reduce((sum, name) => sum + there.get(name)!.length, 0);
        assert.ok(size <= budget, `${size} workers of ${budget}`);
        core.checkIntegrity();
      });
    }),
    { numRuns: 60 },
  );
});

Deno.test("rulesProblems() lets more models be than the budget holds, where they may sleep", () => {
  const rules = { ...usualRules, elastic: true, budgetGpus: 1 };
  assert.deepEqual(rulesProblems({ ...rules, models: [ruleOf("a"), ruleOf("b")] }), []);
  const kept = [ruleOf("a", { sleepAfterMs: undefined }), ruleOf("b", { sleepAfterMs: undefined })];
  assert.match(rulesProblems({ ...rules, models: kept }).join(), /least workers are 2/);
});

Deno.test("startRooms() gives what is free to models that wake first, and never more", () => {
  const of = (have: number, want: number, wakes = false) => ({
    ...{ have: { prefill: 0, decode: 0, both: have }, want: { prefill: 0, decode: 0, both: want } },
    wakes,
  });
  assert.deepEqual(startRooms([of(1, 4), of(0, 1, true), of(2, 1)], 2), [1, 1, 0]);
  assert.deepEqual(startRooms([of(0, 1)], -3), [0]);
  assert.equal(sizeOf(of(1, 1).have), 1);
});
