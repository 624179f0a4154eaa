import assert from "node:assert/strict";
import { decode, subjects } from "@pixii/wire";
import type { ModelDemand } from "@pixii/wire";
import { scriptedModel, ScriptedWorld } from "../testing/scripted_world.ts";

/** What planners hear of the model, in order. */
function heard(world: ScriptedWorld): ModelDemand[] {
  const all: ModelDemand[] = [];
  world.hub.connect().subscribe(subjects(world.context.namespace).allDemand, ({ payload }) => {
    const report = decode("demandReport", payload);
    assert.ok(report.ok);
    all.push(...report.value.models);
  });
  return all;
}

Deno.test("a directory knows a model that sleeps, and serves it from its first worker on", async () => {
  await using world = await ScriptedWorld.open({ workers: 0 });
  const { directory } = world;
  let changes = 0;
  using _heard = directory.onChange(() => changes += 1);
  await world.scale(0, { contextLength: 2_048 });
  await world.clock.advance(0);
  const model = directory.find(scriptedModel)!;
  assert.deepEqual([model.isAsleep, model.contextLength, directory.list()], [true, 2_048, [model]]);
  assert.deepEqual([directory.wakes(model.hash), directory.isOpen(model.hash)], [true, false]);
  const worker = await world.addWorker();
  await world.clock.advance(0);
  assert.deepEqual(
    [directory.find(scriptedModel)!.isAsleep, directory.isOpen(model.hash), changes],
    [false, true, 2],
  );
  worker.script.draining = true;
  await world.clock.advance(300);
  assert.equal(directory.isOpen(model.hash), false);
  worker.kill();
  await world.until(() => directory.find(scriptedModel)?.isAsleep === true, 60_000);
});

Deno.test("a stream of a model that sleeps waits for its worker; planners hear of it at once and every second", async () => {
  await using world = await ScriptedWorld.open({ workers: 0 });
  await world.scale(0);
  await world.clock.advance(0);
  const told = heard(world);
  const sinks = [world.start(3), world.start(3)];
  await world.clock.advance(50);
  assert.deepEqual(told.map(({ booked, waiting }) => [booked, waiting]), [[0, 1]]);
  await world.clock.advance(20_000);
  assert.deepEqual(told.slice(1, 4).map(({ waiting }) => waiting), [2, 2, 2]);
  assert.deepEqual(sinks.map(({ outcomes }) => outcomes.length), [0, 0]);
  assert.equal(await world.count("pixii_frontend_wake_waiting_requests"), 2);
  await world.addWorker();
  await world.until(() => world.generator.live === 0);
  assert.deepEqual(sinks.map(({ outcome }) => [outcome.reason, outcome.outputTokens]), [
    ["length", 3],
    ["length", 3],
  ]);
  await world.clock.advance(1_000);
  assert.deepEqual([told.at(-1)?.booked, told.at(-1)?.waiting], [2, undefined]);
  assert.match(await world.context.metrics.text(), /wake_waits_total\{.*end="woken".*\} 2/);
  assert.deepEqual(world.problems(), []);
});

Deno.test("a stream that comes while the model goes to sleep waits for the next worker; what runs there is not touched", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  await world.scale(0);
  await world.clock.advance(0);
  const [first] = world.workers;
  const running = world.start(200);
  await world.until(() => running.ids.length > 3);
  first.script.draining = true;
  await world.clock.advance(300);
  world.router.workers.length = 0;
  const late = world.start(3);
  await world.until(() => running.outcomes.length === 1);
  assert.deepEqual([running.ids.length, late.outcomes.length], [200, 0]);
  first.kill();
  await world.clock.advance(8_000);
  const second = await world.addWorker();
  await world.until(() => late.outcomes.length === 1);
  assert.deepEqual(late.workers, [second.id]);
  await world.clock.advance(10);
  assert.deepEqual(world.problems(), []);
});

Deno.test("waits for a model end with the client, with their time, where too many wait, and with the frontend", async () => {
  await using world = await ScriptedWorld.open({
    workers: 0,
    wake: { timeoutMs: 60_000, most: 3 },
  });
  await world.scale(0);
  await world.clock.advance(0);
  const told = heard(world);
  const [left, late] = [world.start(3), world.start(3)];
  await world.clock.advance(1_500);
  const last = world.start(3);
  await world.clock.advance(10);
  const over = world.start(3);
  await world.clock.advance(10);
  assert.deepEqual([over.outcome.error?.code, over.outcome.error?.retryAfterMs], [
    "overloaded",
    10_000,
  ]);
  left.handle!.cancel();
  await world.clock.advance(1_500);
  assert.deepEqual([left.outcome.reason, told.at(-1)?.waiting], ["cancelled", 2]);
  await world.until(() => late.outcomes.length === 1, 65_000);
  assert.equal(late.outcome.error?.code, "timeout", "its own deadline is as long");
  world.generator.stopWaiting();
  await world.clock.advance(10);
  assert.equal(last.outcome.error?.code, "draining");
  assert.deepEqual(world.problems(), []);
  const quick = await ScriptedWorld.open({ workers: 0, wake: { timeoutMs: 0, most: 3 } });
  await quick.scale(0);
  await quick.clock.advance(0);
  const toldOf = heard(quick);
  const { outcomes } = quick.start(3);
  await quick.clock.advance(10);
  assert.match(outcomes[0].error!.message, /was asleep and is being started: try again/);
  assert.equal(toldOf[0].waiting, 1, "it is woken all the same");
  await quick[Symbol.asyncDispose]();
});
