import assert from "node:assert/strict";
import type { InstanceId, PlanOrder } from "@pixii/wire";
import { PlannerCore, usualRules } from "./core/mod.ts";
import type { Override, SeenModel, SeenWorker } from "./core/mod.ts";
import { overridesOf } from "./orders.ts";

const counts = { prefill: 2, decode: 1, both: 0 };

function order(more: Partial<PlanOrder>): PlanOrder {
  return {
    ...{ id: "o", kind: "veto", reason: "a test", by: "operator" },
    ...{ givenAt: "2026-01-01T00:00:00.000Z", forMs: 60_000 },
    ...more,
  };
}

Deno.test("overridesOf() puts the latest order first, whichever key it has, and leaves out what says nothing", () => {
  const pins = ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:02.000Z", "2026-01-01T00:00:01.000Z"]
    .map((givenAt, i) =>
      order({ ...{ id: `o${i}`, kind: "pin", model: "m", counts, givenAt, reason: `${i}` } })
    );
  assert.deepEqual(overridesOf(pins).map(({ reason }) => reason), ["1", "2", "0"]);
  assert.deepEqual(overridesOf(pins.toReversed()), overridesOf(pins));
  assert.deepEqual(overridesOf([order({}), order({ kind: "pin", model: "m" })]), []);
  assert.deepEqual(overridesOf([order({ counts })]), [], "numbers of no model");
});

const workers = ["prefill", "decode", "decode"].map((role, i): SeenWorker => ({
  rank: { instance: `${i}`.padStart(16, "0") as InstanceId, dpRank: 0 },
  ...{ role: role as SeenWorker["role"], state: "live", running: i, waiting: 0 },
  ...{ activeBlocks: 0, cachedBlocks: 0, totalBlocks: 100 },
}));
const seen: SeenModel = {
  ...{ model: "m", workers, demand: undefined, times: undefined, maxSeqs: 8, kvTokens: 8_192 },
};

/** What the core does with a pin that wants a flip, and these orders. */
function decided(orders: readonly PlanOrder[]) {
  const goal = { ttftMs: 500, itlMs: 50 };
  const least = { prefill: 1, decode: 1, both: 0 };
  const models = [{ model: "m", goal, layout: "split" as const, least, priority: 0 }];
  const core = new PlannerCore({ ...usualRules, models, budgetGpus: 3 });
  const pin: Override = { kind: "pin", model: "m", counts, reason: "pinned" };
  const [record] = core.step({ nowMs: 0, models: [seen] }, [pin, ...overridesOf(orders)]);
  const flipped = record.moves.map((move) => move.kind === "start" ? "" : move.rank.instance);
  return { flipped: flipped.map(Number), bound: record.bound };
}

Deno.test("a veto of a worker spares it, one of a kind all of them, one of a decision what it would lead to", () => {
  const first = workers[1].rank.instance;
  assert.deepEqual(decided([]).flipped, [1]);
  assert.deepEqual(decided([order({ instance: first })]).flipped, [2]);
  assert.deepEqual(decided([order({ instance: first, move: "stop" })]).flipped, [1]);
  const both = workers.slice(1).map(({ rank: { instance } }) => order({ instance }));
  for (
    const orders of [
      ...[both, [order({ move: "flip" })], [order({ move: "flip", model: "m" })]],
      [order({ model: "m", counts, decision: "00000000000000a1.7" })],
    ]
  ) {
    const { flipped, bound } = decided(orders);
    assert.deepEqual(flipped, [], JSON.stringify(orders));
    assert.match(bound, /vetoed by an operator: a test/);
  }
  assert.deepEqual(decided([order({ move: "flip", model: "other" })]).flipped, [1]);
  assert.deepEqual(decided([order({ model: "m", counts: { ...counts, decode: 2 } })]).flipped, [1]);
});
