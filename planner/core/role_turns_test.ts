import assert from "node:assert/strict";
import fc from "fast-check";
import { WorkerTimes } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import { madeProfile } from "./made_profile_testing.ts";
import { PlannerCore, usualRules } from "./mod.ts";
import type { SeenWorker } from "./mod.ts";

const times = new WorkerTimes(madeProfile);
const stepMs = 5_000;

interface Turn {
  readonly way: number;
  /** Workers that were to change. */
  readonly count: number;
  readonly atMs: number;
  /** Requests that waited then. */
  readonly waiting: number;
}

/** A fixed fleet whose workers change their roles at once, under whatever is asked; the turns of roles, each with its time. */
function turnsOf(
  asked: readonly {
    readonly rate: number;
    readonly isl: number;
    readonly osl: number;
    readonly waiting: number;
  }[],
): readonly Turn[] {
  const models = [{
    ...{ model: "m", layout: "split" as const, priority: 0 },
    ...{ goal: { ttftMs: 8_000, itlMs: 100 }, least: { prefill: 1, decode: 1, both: 0 } },
  }];
  const core = new PlannerCore({ ...usualRules, elastic: false, budgetGpus: 6, models });
  const roles: SeenWorker["role"][] = [
    "prefill",
    "prefill",
    "prefill",
    "decode",
    "decode",
    "decode",
  ];
  const turns: Turn[] = [];
  asked.forEach(({ rate, isl, osl, waiting }, at) => {
    const workers = roles.map((role, i): SeenWorker => ({
      rank: { instance: i.toString(16).padStart(16, "0") as InstanceId, dpRank: 0 },
      ...{ role, state: "live", running: 2, waiting },
      ...{ activeBlocks: 0, cachedBlocks: 0, totalBlocks: 100 },
    }));
    const demand = {
      ...{ windowMs: stepMs, rate, isl, newTokens: isl, osl, waiting },
      ...{ lateFirst: waiting > 0 ? 0.5 : 0, lateNext: 0 },
    };
    const nowMs = at * stepMs;
    const seen = { model: "m", workers, demand, times, maxSeqs: 64, kvTokens: 131_072 };
    const [record] = core.step({ nowMs, models: [seen] });
    const flips = record.moves.filter((move) => move.kind === "flip");
    for (const { rank, to } of flips) roles[parseInt(rank.instance, 16)] = to;
    if (flips.length === 0) return;
    const change = record.want.prefill - record.have.prefill;
    turns.push({ way: Math.sign(change), count: Math.abs(change), atMs: nowMs, waiting });
  });
  return turns;
}

Deno.test("PlannerCore undoes no change of roles within its cool-down but by one more than twice as large, or for prompts that will be late once the change has had its time", () => {
  const asked = fc.record({
    rate: fc.double({ min: 0.1, max: 12, noNaN: true }),
    isl: fc.constantFrom(50, 400, 2_000, 6_000),
    osl: fc.constantFrom(4, 40, 300, 800),
    waiting: fc.nat(40),
  });
  const hasShownMs = usualRules.flipMs + 2 * usualRules.reactiveMs;
  let turned = 0;
  fc.assert(
    fc.property(fc.array(asked, { minLength: 40, maxLength: 120 }), (steps) => {
      const turns = turnsOf(steps);
      turned += turns.length;
      for (const [i, { way, count, atMs, waiting }] of turns.entries()) {
        const before = turns[i - 1];
        if (before === undefined || before.way === way || count > 2 * before.count) continue;
        const afterMs = atMs - before.atMs;
        // Batches of two never take longer than the goal here: only prompts can press.
        const forLate = way === 1 && waiting > 0 && afterMs > hasShownMs;
        assert.ok(forLate || afterMs >= usualRules.coolDownMs, `turned back after ${afterMs} ms`);
      }
    }),
    { numRuns: 60 },
  );
  assert.ok(turned > 60, `roles were changed ${turned} times`);
});

Deno.test("PlannerCore gives workers back within its cool-down where prompts wait for half the goal, and waits where none does", () => {
  const step = { rate: 2, isl: 1_000, osl: 100, waiting: 0 };
  const many = (count: number, more: Partial<typeof step>) =>
    Array.from({ length: count }, () => ({ ...step, ...more }));
  const backAfterMs = (waiting: number) => {
    const answers = many(6, { isl: 50, osl: 800 });
    const prompts = many(16, { isl: 6_000, osl: 4, waiting });
    const turns = turnsOf([...many(40, {}), ...answers, ...prompts]);
    const away = turns.findIndex(({ way }) => way === -1);
    const back = turns.slice(away).find(({ way, count }) =>
      way === 1 && count <= 2 * turns[away].count
    );
    return back!.atMs - turns[away].atMs;
  };
  assert.ok(backAfterMs(20) < usualRules.coolDownMs, `${backAfterMs(20)} ms`);
  assert.ok(backAfterMs(0) >= usualRules.coolDownMs, `${backAfterMs(0)} ms`);
});
