import assert from "node:assert/strict";
import { modelHashOf } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import { countsAfter } from "../actuators/actuator.ts";
import type { ActOrder, Actuator } from "../actuators/actuator.ts";
import type { PlanMove } from "../core/plan_record.ts";

/** An actuator under test, and the world that it moves. */
export interface ActuatorRig extends AsyncDisposable {
  readonly actuator: Actuator;
  /** What it has asked for so far, as its world keeps it; equal text, equal wishes. */
  wishes(): Promise<string>;
  /** Makes its world refuse, or take again, what it is asked for; left out where nothing can refuse. */
  refuse?(on: boolean): void;
}

/** An order of one model whose four workers are instances 1 to 4. */
export function orderOf(id: string, moves: readonly PlanMove[]): ActOrder {
  const have = { prefill: 1, decode: 3, both: 0 };
  return {
    ...{
      id,
      have,
      moves,
      by: "planner",
      why: moves[0]?.reason ?? "",
      after: countsAfter(have, moves),
    },
    model: { name: "m", hash: modelHashOf("m") },
  };
}

/** A move of each kind. */
export const sampleMoves: Readonly<Record<PlanMove["kind"], PlanMove>> = {
  flip: {
    ...{ kind: "flip", model: "m", rank: rank(2), from: "decode", to: "prefill", reason: "r" },
  },
  start: { kind: "start", model: "m", role: "decode", reason: "r" },
  stop: { kind: "stop", model: "m", rank: rank(3), role: "decode", reason: "r" },
};

/** Tests that every actuator passes: see `Actuator` for the promises. */
export function actuatorContract(name: string, open: () => Promise<ActuatorRig>): void {
  Deno.test(`${name} follows an order once, however often it is given`, async () => {
    await using rig = await open();
    const before = await rig.wishes();
    for (const kind of rig.actuator.kinds) {
      const order = orderOf(`o-${kind}`, [sampleMoves[kind]]);
      assert.deepEqual(await rig.actuator.apply(order), { ok: true, value: undefined });
      const once = await rig.wishes();
      assert.notEqual(once, before, `${kind} asks for something`);
      assert.deepEqual(await rig.actuator.apply(order), { ok: true, value: undefined });
      assert.equal(await rig.wishes(), once);
    }
  });

  Deno.test(`${name} follows one order after another, of each of its kinds`, async () => {
    await using rig = await open();
    const seen = new Set([await rig.wishes()]);
    for (const kind of rig.actuator.kinds) {
      const done = await rig.actuator.apply(orderOf(`o-${kind}`, [sampleMoves[kind]]));
      assert.ok(done.ok);
      seen.add(await rig.wishes());
    }
    assert.equal(seen.size, rig.actuator.kinds.length + 1);
  });

  Deno.test(`${name} says in one sentence what it could not ask for, and is asked again`, async () => {
    await using rig = await open();
    const [kind] = rig.actuator.kinds;
    const order = orderOf("o", [sampleMoves[kind]]);
    if (rig.refuse !== undefined) {
      const before = await rig.wishes();
      rig.refuse(true);
      const refused = await rig.actuator.apply(order);
      assert.ok(!refused.ok);
      assert.match(refused.error.message, /^[A-Z][^\n]+$/);
      rig.refuse(false);
      assert.equal(await rig.wishes(), before);
    }
    assert.deepEqual(await rig.actuator.apply(order), { ok: true, value: undefined });
  });

  Deno.test(`${name} can be closed twice, and then still answers with a value`, async () => {
    await using rig = await open();
    await rig.actuator[Symbol.asyncDispose]();
    await rig.actuator[Symbol.asyncDispose]();
    const [kind] = rig.actuator.kinds;
    const after = await rig.actuator.apply(orderOf("o", [sampleMoves[kind]]));
    assert.equal(typeof after.ok, "boolean");
  });
}

function rank(number: number): { readonly instance: InstanceId; readonly dpRank: number } {
  return { instance: number.toString(16).padStart(16, "0") as InstanceId, dpRank: 0 };
}
