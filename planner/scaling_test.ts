import assert from "node:assert/strict";
import { keys, modelHashOf } from "@pixii/wire";
import type { InstanceId, LoadReport, ModelCard, Role, ScaleRecord } from "@pixii/wire";
import { countsAfter } from "./actuators/actuator.ts";
import { LoadWindow } from "./core/load_window.ts";
import { countsOf } from "./core/moves.ts";
import type { PlanMove } from "./core/plan_record.ts";
import { Observer } from "./observer.ts";
import { ProfileShelf } from "./profile_shelf.ts";

const hash = modelHashOf("m");
const names = keys("default");
const idOf = (number: number) => number.toString(16).padStart(16, "0") as InstanceId;

/** Workers of `m` in these roles, and what a scale record says of them. */
function world(roles: readonly Role[], scale: Partial<ScaleRecord>) {
  const cards = new Map<string, ModelCard>();
  const load = new LoadWindow();
  const report = (number: number, role: Role, nowMs: number) =>
    load.put(
      {
        ...{ instance: idOf(number), dpRank: 0, model: hash, role, draining: false },
      } as LoadReport,
      nowMs,
    );
  const card = (number: number, role: Role) =>
    cards.set(names.model(hash, idOf(number)), {
      ...{ name: "m", hash, instance: idOf(number), role, maxSeqs: 8, totalBlocks: 1 },
      blockSize: 64,
    } as ModelCard);
  roles.forEach((role, at) => {
    report(at + 1, role, 0);
    card(at + 1, role);
  });
  const record: ScaleRecord = {
    ...{ id: "d", model: "m", workers: roles.length, startRole: "prefill", stop: [] },
    ...{ reason: "", by: "p", ...scale },
  };
  const observer = new Observer({
    load,
    view: {
      ...{ cards, desired: new Map(), orders: new Map() },
      scales: new Map([[names.scale(hash), record]]),
      names: new Map([[hash, "m"]]),
      ...{ sleepers: new Map(), cardsOf: () => [...cards.values()] },
      [Symbol.dispose]: () => {},
    },
    ...{ profiles: new ProfileShelf([]), namespace: "default", windowMs: 60_000 },
    ...{ reactiveMs: 5_000, startTimeoutMs: 60_000 },
  });
  const counts = (nowMs = 0) => countsOf(observer.models(nowMs)[0].workers);
  return { report, card, counts };
}

Deno.test("Observer counts workers that were asked for in the roles that they will have", () => {
  const roles = { prefill: 2, decode: 2, both: 0 };
  const more = world(["prefill", "decode"], { workers: 4, roles });
  assert.deepEqual(more.counts(), roles);
  const plain = world(["prefill", "decode"], { workers: 3 });
  assert.deepEqual(plain.counts(), { prefill: 2, decode: 1, both: 0 });
});

Deno.test("Observer counts a worker once whether its report or its card comes first", () => {
  const both = { prefill: 0, decode: 0, both: 2 };
  const first = world(["both"], { workers: 2, startRole: "both" });
  first.report(2, "both", 0);
  assert.deepEqual(first.counts(), both);
  const second = world(["both"], { workers: 2, startRole: "both" });
  second.card(2, "both");
  second.report(2, "both", 0);
  assert.deepEqual(second.counts(), both);
});

Deno.test("Observer counts a worker no more that was told to go, also when it is no longer heard of", () => {
  const { counts, report } = world(["both", "both"], { workers: 1, stop: [idOf(1)] });
  assert.deepEqual(counts(), { prefill: 0, decode: 0, both: 1 });
  report(2, "both", 2_000);
  assert.deepEqual(counts(2_000), { prefill: 0, decode: 0, both: 1 });
});

Deno.test("countsAfter() makes all kinds of moves", () => {
  const rank = { instance: idOf(1), dpRank: 0 };
  const common = { model: "m", reason: "" };
  const moves: PlanMove[] = [
    { kind: "flip", rank, from: "decode", to: "prefill", ...common },
    { kind: "start", role: "prefill", ...common },
    { kind: "stop", rank, role: "decode", ...common },
    { kind: "stop", rank, role: "both", ...common },
  ];
  const have = { prefill: 1, decode: 3, both: 0 };
  assert.deepEqual(countsAfter(have, moves), { prefill: 3, decode: 1, both: 0 });
});
