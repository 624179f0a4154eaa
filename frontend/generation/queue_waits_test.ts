import assert from "node:assert/strict";
import { fail, limits, streamKeyText } from "@pixii/wire";
import { ScriptedRouter } from "../testing/scripted_router.ts";
import { scriptedModel, ScriptedWorld } from "../testing/scripted_world.ts";
import type { RecordingSink } from "../testing/scripted_world.ts";

const isOver = (sink: RecordingSink) => () => sink.outcomes.length > 0;

/** Waits until the router has said `queued` to so many. */
async function queued(world: ScriptedWorld, requests = 1): Promise<void> {
  world.router.isFull = true;
  await world.until(() => world.router.waiting.length === requests);
  await world.clock.advance(1);
}

async function settle(world: ScriptedWorld): Promise<void> {
  await world.clock.advance(10);
  assert.deepEqual(world.problems(), []);
}

Deno.test("a queued stream waits as long as beats come, and goes where the router says", async () => {
  await using world = await ScriptedWorld.open();
  world.router.isFull = true;
  const sink = world.start(3);
  await queued(world);
  for (let beat = 0; beat < 20; beat++) {
    await world.clock.advance(limits.queueBeatMs);
    world.router.beat();
  }
  assert.deepEqual([sink.outcomes.length, world.ledger.length], [0, 0]);
  world.router.settle();
  await world.until(isOver(sink));
  assert.deepEqual([sink.outcome.reason, sink.outcome.attempts], ["length", 1]);
  assert.equal(world.router.requests.length, 1);
  assert.equal(await world.count("pixii_frontend_queued_total"), 1);
  assert.equal(await world.count("pixii_frontend_router_fallback_total"), 0);
  await settle(world);
});

Deno.test("an answer that overtakes its `queued` is not lost", async () => {
  await using world = await ScriptedWorld.open();
  world.router.isFull = true;
  const sink = world.start(3);
  await world.until(() => world.router.waiting.length === 1);
  // Sent in the same instant as the reply.
  world.router.settle();
  await world.until(isOver(sink), 500);
  assert.equal(sink.outcome.reason, "length");
  await settle(world);
});

Deno.test("a client that leaves while queued is cancelled at the router", async () => {
  await using world = await ScriptedWorld.open();
  world.router.isFull = true;
  const sink = world.start(3);
  await queued(world);
  sink.handle!.cancel();
  await world.clock.advance(5);
  assert.equal(sink.outcome.reason, "cancelled");
  const [request] = world.router.requests;
  assert.deepEqual(world.router.cancelled, [streamKeyText(request)]);
  // The decision was on its way: nothing comes of it.
  world.router.settle();
  await settle(world);
  assert.deepEqual(world.ledger.map(({ op }) => op), ["complete"]);
});

Deno.test("a router that falls silent while a stream is queued is left for another", async () => {
  await using world = await ScriptedWorld.open();
  world.router.isFull = true;
  const sink = world.start(3);
  await queued(world);
  const [first] = world.router.requests;
  world.router[Symbol.dispose]();
  using other = new ScriptedRouter({
    ...{ bus: world.hub.connect(), namespace: "test", model: scriptedModel },
    id: world.chance.instanceId(),
  });
  other.workers.push(...world.workers.map(({ id }) => id));
  await world.until(isOver(sink), 3_000);
  assert.equal(sink.outcome.reason, "length");
  const [second] = other.requests;
  assert.deepEqual([other.requests.length, second.attempt], [1, first.attempt + 1]);
  await settle(world);
  const completed = world.ledger.filter(({ op }) => op === "complete").map(streamKeyText);
  assert.deepEqual(completed, [streamKeyText(first), streamKeyText(second)]);
});

Deno.test("without another router the stream is placed without one", async () => {
  await using world = await ScriptedWorld.open();
  world.router.isFull = true;
  const sink = world.start(3);
  await queued(world);
  world.router[Symbol.dispose]();
  await world.until(isOver(sink), 3_000);
  assert.equal(sink.outcome.reason, "length");
  assert.equal(await world.count("pixii_frontend_router_fallback_total"), 1);
  await settle(world);
});

Deno.test("a router that drains sends its waiting streams on, however long they waited", async () => {
  await using world = await ScriptedWorld.open();
  world.router.isFull = true;
  const sink = world.start(3);
  await queued(world);
  for (let beat = 0; beat < 6; beat++) {
    await world.clock.advance(limits.queueBeatMs);
    world.router.beat();
  }
  world.router.isFull = false;
  world.router.settle(fail("draining", "shutting down").error);
  await world.until(isOver(sink));
  assert.deepEqual([sink.outcome.reason, world.router.requests.length], ["length", 2]);
  await settle(world);
});

Deno.test("a stream that is refused while queued ends with the router's words", async () => {
  await using world = await ScriptedWorld.open();
  world.router.isFull = true;
  const sink = world.start(3);
  await queued(world);
  world.router.settle(fail("overloaded", "waited too long", { retryAfterMs: 7_000 }).error);
  await world.until(isOver(sink));
  assert.deepEqual([sink.outcome.error?.code, sink.outcome.error?.retryAfterMs], [
    "overloaded",
    7_000,
  ]);
  await settle(world);
});

Deno.test("while the bus is away a router's silence is not its own", async () => {
  await using world = await ScriptedWorld.open();
  world.router.isFull = true;
  const sink = world.start(3);
  await queued(world);
  world.bus.disconnect();
  await world.clock.advance(2_500);
  world.bus.reconnect();
  await world.clock.advance(1_000);
  world.router.settle();
  await world.until(isOver(sink));
  assert.deepEqual([sink.outcome.reason, world.router.requests.length], ["length", 1]);
  await settle(world);
});

Deno.test("a frontend that shuts down cancels what it has queued", async () => {
  const world = await ScriptedWorld.open();
  world.router.isFull = true;
  const sink = world.start(3);
  await queued(world);
  await world[Symbol.asyncDispose]();
  await world.clock.advance(5);
  assert.equal(sink.outcome.error?.code, "draining");
  assert.equal(world.router.cancelled.length, 1);
});

Deno.test("a hard session is not placed without a router", async () => {
  await using world = await ScriptedWorld.open();
  world.router[Symbol.dispose]();
  const hard = world.start(3, { hints: { session: "s", sessionMode: "hard" } });
  const soft = world.start(3, { hints: { session: "s" } });
  await world.until(isOver(hard));
  await world.until(isOver(soft));
  assert.equal(hard.outcome.error?.code, "router_unavailable");
  assert.equal(soft.outcome.reason, "length");
  await settle(world);
});

Deno.test("bookings carry the session, so that every router keeps it together", async () => {
  await using world = await ScriptedWorld.open();
  const sink = world.start(2, { hints: { session: "s", sessionTtlMs: 5_000 } });
  await world.until(isOver(sink));
  const [book] = world.ledger;
  assert.ok(book.op === "book");
  assert.deepEqual([book.session, book.sessionTtlMs], ["s", 5_000]);
  await settle(world);
});
