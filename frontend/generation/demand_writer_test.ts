import assert from "node:assert/strict";
import { decode, subjects } from "@pixii/wire";
import type { DemandReport } from "@pixii/wire";
import { ScriptedWorld } from "../testing/scripted_world.ts";

Deno.test("a frontend tells once a second what was asked of which model, and the rest as it ends", async () => {
  const world = await ScriptedWorld.open();
  const reports: DemandReport[] = [];
  world.hub.connect().subscribe(subjects(world.context.namespace).allDemand, ({ payload }) => {
    const report = decode("demandReport", payload);
    assert.ok(report.ok);
    reports.push(report.value);
  });
  await world.clock.advance(3_000);
  assert.equal(reports.length, 0);
  world.start(3);
  world.start(3);
  await world.clock.advance(1_100);
  assert.equal(reports.length, 1);
  assert.equal(reports[0].frontend, world.context.instance);
  assert.deepEqual(reports[0].models.map(({ booked }) => booked), [2]);
  await world[Symbol.asyncDispose]();
  const all = reports.flatMap(({ models }) => models);
  assert.equal(all.reduce((sum, { completed }) => sum + completed, 0), 2);
});
