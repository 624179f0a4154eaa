import assert from "node:assert/strict";
import { ScriptedWorld } from "../testing/scripted_world.ts";
import type { RecordingSink } from "../testing/scripted_world.ts";

const isOver = (sink: RecordingSink) => () => sink.outcomes.length > 0;

/** Ends the test's streams and checks what every path owes. */
async function settle(world: ScriptedWorld): Promise<void> {
  await world.clock.advance(10);
  assert.deepEqual(world.problems(), []);
}

Deno.test("cancel() tells the worker at once and ends exactly once, whatever the stream does", async () => {
  await using world = await ScriptedWorld.open();
  const [deaf] = world.workers;
  const ways: [name: string, (sink: RecordingSink) => Promise<void>][] = [
    ["at once", async () => {}],
    ["while the router thinks", async () => {
      world.router.isDeaf = true;
      await world.clock.advance(5);
    }],
    ["while the worker thinks", async () => {
      world.router.isDeaf = false;
      deaf.script.isDeaf = true;
      await world.clock.advance(5);
    }],
    ["in the middle", async (sink) => {
      deaf.script.isDeaf = false;
      await world.until(() => sink.ids.length > 3, 10_000);
    }],
    ["after the end", async (sink) => await world.until(isOver(sink), 10_000)],
  ];
  for (const [name, wait] of ways) {
    const sink = world.start(20);
    await wait(sink);
    const was = sink.outcomes.length;
    sink.handle!.cancel();
    sink.handle!.cancel();
    assert.equal(sink.outcomes.length, 1, name);
    assert.equal(sink.outcome.reason, was === 1 ? "length" : "cancelled", name);
    await world.clock.advance(20);
    for (const worker of world.workers) {
      const left = [...worker.streams.values()].filter((one) => one.end === undefined);
      assert.equal(left.length, 0, name);
    }
  }
  await settle(world);
});

Deno.test("cancel() from inside tokens() takes nothing more", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  const sink = world.start(50);
  sink.onTokens = () => sink.ids.length === 7 && sink.handle!.cancel();
  await world.until(isOver(sink), 1_000);
  assert.equal(sink.ids.length, 7);
  assert.equal(sink.outcome.outputTokens, 7);
  await settle(world);
});

Deno.test("a passed deadline ends the stream with timeout, at every point", async () => {
  await using world = await ScriptedWorld.open();
  const queued = world.start(20, { deadlineInMs: 0 });
  const running = world.start(5_000, { deadlineInMs: 700 });
  await world.until(isOver(queued), 50);
  await world.clock.advance(650);
  assert.equal(running.outcomes.length, 0);
  await world.clock.advance(60);
  assert.equal(queued.outcome.error?.code, "timeout");
  assert.equal(running.outcome.error?.code, "timeout");
  await world.clock.advance(20);
  assert.equal(world.workerOf(running).cancelled.length, 1);
  const { remainingMs } = world.workerOf(running).requests.at(-1)!;
  assert.ok(remainingMs > 600 && remainingMs <= 700);
  await settle(world);
});

Deno.test("a sink that throws ends its own stream only", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  const bad = world.start(20);
  const good = world.start(20);
  bad.onTokens = () => {
    throw new Error("a sink's bug");
  };
  await world.until(isOver(good), 1_000);
  assert.equal(bad.outcome.error?.code, "internal");
  assert.equal(good.outcome.reason, "length");
  await world.clock.advance(10);
  assert.deepEqual(world.ledgerProblems(), []);
  const bugs = world.log.lines.filter((line) => line.level === "error");
  assert.deepEqual(bugs.map((line) => line.message), ["a stream broke"]);
});

Deno.test("disposing ends what is live with draining", async () => {
  const world = await ScriptedWorld.open();
  const sink = world.start(500);
  await world.clock.advance(50);
  const disposed = world[Symbol.asyncDispose]();
  await world.clock.advance(10);
  await disposed;
  assert.equal(sink.outcome.error?.code, "draining");
  const late = world.start(5);
  await world.clock.advance(1);
  assert.equal(late.outcome.error?.code, "draining");
  assert.deepEqual(world.ledgerProblems(), []);
});
