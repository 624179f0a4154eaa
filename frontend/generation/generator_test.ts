import assert from "node:assert/strict";
import { fail, limits } from "@pixii/wire";
import type { Failure } from "@pixii/wire";
import { scriptedModel, ScriptedWorld } from "../testing/scripted_world.ts";
import type { RecordingSink } from "../testing/scripted_world.ts";

const isOver = (sink: RecordingSink) => () => sink.outcomes.length > 0;
const failure = (...args: Parameters<typeof fail>): Failure => fail(...args).error;

/** Ends the test's streams and checks what every path owes: whole output, one end, one release per booking. */
async function settle(world: ScriptedWorld): Promise<void> {
  await world.clock.advance(10);
  assert.deepEqual(world.problems(), []);
}

Deno.test("start() runs a stream from route to end", async () => {
  await using world = await ScriptedWorld.open();
  const sink = world.start(5);
  assert.equal(world.generator.live, 1);
  await world.until(isOver(sink));
  assert.deepEqual(sink.ids, [1000, 1001, 1002, 1003, 1004]);
  const worker = world.workerOf(sink);
  assert.deepEqual(sink.outcome, {
    reason: "length",
    error: undefined,
    outputTokens: 5,
    cached: { device: 1, host: 0, disk: 0 },
    worker: { instance: worker.id, dpRank: 0 },
    attempts: 1,
  });
  const [request] = world.router.requests;
  assert.deepEqual(
    [request.isl, request.maxTokens, request.hashes[0].blockSize, request.hashes[0].list.lo.length],
    [40, 5, 16, 2],
  );
  await settle(world);
  assert.deepEqual(world.ledger.map((entry) => entry.op), ["book", "first-token", "complete"]);
  const [book] = world.ledger;
  assert.ok(book.op === "book");
  assert.deepEqual([book.prefillTokens, book.blocks], [24, 3]);
  const [, first, end] = world.ledger;
  assert.ok(first.op === "first-token" && end.op === "complete");
  assert.deepEqual([first.cachedTokens, end.outputTokens, end.reason], [1, 5, "length"]);
});

Deno.test("start() runs many streams at once, and idle() waits for them", async () => {
  await using world = await ScriptedWorld.open();
  for (let i = 0; i < 300; i++) world.start(20, { choice: i });
  let isIdle = false;
  const idle = world.generator.idle(new AbortController().signal).then(() => isIdle = true);
  await world.clock.advance(50);
  assert.equal(isIdle, false);
  await world.until(() => world.generator.live === 0);
  await idle;
  assert.ok(world.sinks.every((sink) => sink.ids.length === 20));
  await settle(world);
});

Deno.test("start() takes what a draining, overloaded or broken worker refuses to another", async () => {
  for (const code of ["draining", "overloaded", "engine_failed"] as const) {
    await using world = await ScriptedWorld.open();
    world.workers[0].script.refuse = failure(code, "no");
    const sink = world.start(3);
    await world.until(isOver(sink), 1_000);
    assert.equal(sink.outcome.reason, "length");
    assert.equal(sink.outcome.attempts, 2);
    assert.deepEqual(sink.workers, [world.workers[1].id]);
    assert.deepEqual(world.router.requests[1].hints?.deny, [world.workers[0].id]);
    await settle(world);
  }
});

Deno.test("start() ends at once where the refusal would be the same everywhere", async () => {
  await using world = await ScriptedWorld.open();
  for (const worker of world.workers) {
    worker.script.refuse = failure("context_length_exceeded", "too long");
  }
  const sink = world.start(3);
  await world.until(isOver(sink), 100);
  assert.equal(sink.outcome.error?.code, "context_length_exceeded");
  assert.equal(sink.outcome.attempts, 1);
  await settle(world);
});

Deno.test("start() says overloaded, soon, when every worker is", async () => {
  await using world = await ScriptedWorld.open();
  for (const worker of world.workers) worker.script.refuse = failure("overloaded", "full");
  const sink = world.start(3);
  await world.until(isOver(sink), 200);
  assert.equal(sink.outcome.error?.code, "overloaded");
  assert.equal(sink.outcome.attempts, 2);
  await settle(world);
});

Deno.test("a stream that has begun waits where a new one would be turned away", async () => {
  await using world = await ScriptedWorld.open();
  const sink = world.start(50);
  await world.until(() => sink.ids.length >= 10);
  const [lost, full] = [
    world.workerOf(sink),
    world.workers.find((one) => one.id !== sink.workers[0])!,
  ];
  full.script.refuse = failure("overloaded", "full");
  lost.kill();
  await world.clock.advance(2_500);
  assert.ok(full.requests.length > 1);
  full.script.refuse = undefined;
  await world.until(isOver(sink), 3_000);
  assert.equal(sink.ids.length, 50);
  await settle(world);
});

Deno.test("start() cancels and re-routes when a worker does not accept in time", async () => {
  await using world = await ScriptedWorld.open();
  const [deaf, other] = world.workers;
  deaf.script.isDeaf = true;
  const sink = world.start(3);
  await world.until(isOver(sink), limits.acceptMs + 200);
  assert.deepEqual(sink.workers, [other.id]);
  assert.equal(deaf.cancelled.length, 1);
  await settle(world);
});

Deno.test("start() passes on what the router refuses for good", async () => {
  await using world = await ScriptedWorld.open();
  world.router.refuse = failure("overloaded", "queue full", { retryAfterMs: 500 });
  const sink = world.start(3);
  await world.until(isOver(sink), 100);
  assert.deepEqual(sink.outcome.error, world.router.refuse);
  assert.equal(sink.outcome.attempts, 0);
  await settle(world);
});

Deno.test("start() waits a little for a worker, then says no_worker", async () => {
  await using world = await ScriptedWorld.open();
  const known = world.router.workers.splice(0);
  const late = world.start(3);
  await world.clock.advance(300);
  world.router.workers.push(...known);
  await world.until(isOver(late), 500);
  assert.equal(late.outcome.reason, "length");
  world.router.workers.splice(0);
  const never = world.start(3);
  await world.until(isOver(never), 1_500);
  assert.equal(never.outcome.error?.code, "no_worker");
  await settle(world);
});

Deno.test("start() falls back to least requests in flight without a router", async () => {
  await using world = await ScriptedWorld.open();
  world.router[Symbol.dispose]();
  for (let i = 0; i < 10; i++) world.start(40);
  await world.clock.advance(100);
  assert.deepEqual(world.workers.map((worker) => worker.streams.size), [5, 5]);
  assert.equal(await world.count("pixii_frontend_router_fallback_total"), 10);
  const said = world.log.lines.filter((line) => line.message.startsWith("no router answers"));
  assert.equal(said.length, 1);
  await world.until(() => world.generator.live === 0);
  await settle(world);
});

Deno.test("a stream finds a worker that came after it, without a router", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  world.router[Symbol.dispose]();
  const sink = world.start(50);
  await world.until(() => sink.ids.length >= 10);
  world.workers[0].kill();
  const next = await world.addWorker();
  await world.until(isOver(sink), limits.deadMs + 1_000);
  assert.deepEqual(sink.workers, [world.workers[0].id, next.id]);
  assert.equal(sink.ids.length, 50);
  await settle(world);
});

Deno.test("start() waits once for a silent router, then goes without it for a while", async () => {
  await using world = await ScriptedWorld.open();
  world.router.isDeaf = true;
  const first = world.start(3);
  await world.until(isOver(first), 1_200);
  const second = world.start(3);
  await world.until(isOver(second), 100);
  assert.equal(world.router.requests.length, 1);
  await world.clock.advance(3_000);
  world.router.isDeaf = false;
  const third = world.start(3);
  await world.until(isOver(third), 100);
  assert.equal(world.router.requests.length, 2);
  // The key the silent router may have booked under is released and not used again.
  const [released] = world.ledger;
  assert.deepEqual([released.op, released.attempt], ["complete", 0]);
  await settle(world);
});

Deno.test("a stream goes on elsewhere when its worker is killed before its first token", async () => {
  await using world = await ScriptedWorld.open();
  for (const worker of world.workers) worker.script.isStuck = true;
  const sink = world.start(6);
  await world.until(() => sink.workers.length === 1);
  world.workerOf(sink).kill();
  for (const worker of world.workers) worker.script.isStuck = false;
  await world.until(isOver(sink), limits.deadMs);
  assert.equal(sink.outcome.reason, "length");
  assert.equal(sink.outcome.attempts, 2);
  assert.equal(sink.ids.length, 6);
  await settle(world);
});

Deno.test("a stream goes on elsewhere with its output when its worker is killed", async () => {
  await using world = await ScriptedWorld.open();
  const sink = world.start(50);
  await world.until(() => sink.ids.length >= 10);
  const killed = world.workerOf(sink);
  killed.kill();
  await world.until(isOver(sink), limits.deadMs + 1_000);
  const next = world.workerOf(sink);
  assert.notEqual(next, killed);
  const [request] = next.requests;
  assert.ok(request.emitted >= 10);
  assert.equal(request.tokens.length / 4, 40 + request.emitted);
  assert.equal(request.attempt, 1);
  assert.equal(sink.outcome.outputTokens, 50);
  await settle(world);
});

Deno.test("a stream of a lone worker waits for its successor", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  const sink = world.start(50);
  await world.until(() => sink.ids.length >= 10);
  world.workers[0].kill();
  world.router.workers.splice(0);
  await world.clock.advance(3_000);
  await world.addWorker();
  await world.until(isOver(sink), 4_000);
  assert.equal(sink.outcome.reason, "length");
  await settle(world);
});

Deno.test("a stream without any worker left ends with worker_lost", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  const sink = world.start(50);
  await world.until(() => sink.ids.length >= 10);
  world.workers[0].kill();
  world.router.workers.splice(0);
  await world.until(isOver(sink), 10_000);
  assert.ok(["worker_lost", "no_responders"].includes(sink.outcome.error!.code));
  await settle(world);
});

Deno.test("a stream ends with length when only its end was lost with the worker", async () => {
  await using world = await ScriptedWorld.open();
  const sink = world.start(10_000);
  await world.until(() => sink.ids.length === 4);
  // The context is full by now as far as the frontend can know.
  const model = world.directory.find(scriptedModel)!;
  const full = world.start(10_000, { model: { ...model, contextLength: 45 } });
  await world.until(() => full.ids.length >= 5);
  world.workerOf(full).kill();
  await world.until(isOver(full), limits.deadMs + 1_000);
  assert.equal(full.outcome.reason, "length");
  sink.handle!.cancel();
  await settle(world);
});

Deno.test("a gap is filled by resume, and no token is lost", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  const sink = world.start(30);
  await world.until(() => sink.ids.length === 5);
  world.workers[0].script.loseFrames = 3;
  await world.until(isOver(sink), 1_000);
  assert.equal(sink.ids.length, 30);
  assert.equal(world.workers[0].resumes, 1);
  await settle(world);
});

Deno.test("a lost last frame is sent again after two renewals", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  const sink = world.start(5);
  await world.until(() => sink.ids.length === 4);
  world.workers[0].script.loseFrames = 1;
  await world.until(isOver(sink), 2_000);
  assert.equal(sink.outcome.reason, "length");
  assert.equal(sink.ids.length, 5);
  await settle(world);
});

Deno.test("frames that come twice are taken once", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  world.workers[0].script.isStuttering = true;
  const sink = world.start(20);
  await world.until(isOver(sink), 1_000);
  assert.equal(sink.ids.length, 20);
  await settle(world);
});

Deno.test("late frames of a former attempt change nothing", async () => {
  await using world = await ScriptedWorld.open();
  const sink = world.start(400);
  await world.until(() => sink.ids.length === 5);
  const first = world.workerOf(sink);
  first.script.ignoresCancel = true;
  first.bus.disconnect();
  await world.until(() => sink.workers.length === 2, 4_000);
  first.bus.reconnect();
  await world.until(isOver(sink), 6_000);
  assert.equal(sink.ids.length, 400);
  assert.ok(await world.count("pixii_frontend_unknown_entries_total") > 0);
  await settle(world);
});

Deno.test("a worker that forgot the stream loses it", async () => {
  await using world = await ScriptedWorld.open();
  const sink = world.start(30);
  await world.until(() => sink.ids.length === 5);
  const first = world.workerOf(sink);
  first.streams.clear();
  await world.until(isOver(sink), 7_000);
  assert.equal(sink.ids.length, 30);
  assert.notEqual(world.workerOf(sink), first);
  await settle(world);
});

Deno.test("an engine that fails or hangs loses its streams to another", async () => {
  await using world = await ScriptedWorld.open();
  const sink = world.start(30);
  await world.until(() => sink.ids.length === 5);
  world.workerOf(sink).script.failNext = failure("engine_failed", "out of memory");
  await world.until(() => sink.workers.length === 2, 100);
  const second = world.workerOf(sink);
  second.script.isStuck = true;
  second.script.stepAgeMs = 31_000;
  await world.until(isOver(sink), 3_000);
  assert.equal(sink.outcome.attempts, 3);
  await settle(world);
});

Deno.test("attempts are bounded where every worker fails", async () => {
  await using world = await ScriptedWorld.open({ workers: 6 });
  for (const worker of world.workers) worker.script.refuse = failure("engine_failed", "broken");
  const sink = world.start(30);
  await world.until(isOver(sink), 2_000);
  assert.equal(sink.outcome.error?.code, "engine_failed");
  assert.equal(sink.outcome.attempts, 4);
  await settle(world);
});

Deno.test("a short outage of the bus is not seen in the stream", async () => {
  await using world = await ScriptedWorld.open();
  const running = world.start(600);
  await world.until(() => running.ids.length === 5);
  world.bus.disconnect();
  const started = world.start(10);
  await world.clock.advance(1_500);
  assert.equal(running.outcomes.length, 0);
  world.bus.reconnect();
  await world.until(isOver(running), 10_000);
  await world.until(isOver(started), 1_000);
  assert.equal(running.ids.length, 600);
  assert.equal(running.outcome.attempts, 1);
  assert.equal(started.ids.length, 10);
  await settle(world);
});

Deno.test("an outage longer than the workers wait is a migration", async () => {
  await using world = await ScriptedWorld.open();
  const sink = world.start(600);
  await world.until(() => sink.ids.length === 5);
  world.bus.disconnect();
  await world.clock.advance(4_000);
  world.bus.reconnect();
  await world.until(isOver(sink), 12_000);
  assert.equal(sink.ids.length, 600);
  assert.equal(sink.outcome.attempts, 2);
  await settle(world);
});

Deno.test("an outage over 5 s ends streams with bus_unavailable, new ones at once", async () => {
  await using world = await ScriptedWorld.open();
  const sink = world.start(2_000);
  await world.until(() => sink.ids.length === 5);
  world.bus.disconnect();
  await world.clock.advance(limits.reconnectWaitMs - 10);
  assert.equal(sink.outcomes.length, 0);
  await world.clock.advance(20);
  assert.equal(sink.outcome.error?.code, "bus_unavailable");
  const late = world.start(5);
  await world.clock.advance(5);
  assert.equal(late.outcome.error?.code, "bus_unavailable");
  world.bus.reconnect();
  await world.clock.advance(10);
  const next = world.start(5);
  await world.until(isOver(next), 1_000);
  assert.equal(next.outcome.reason, "length");
  await settle(world);
});

Deno.test("a worker that reconnects a little later than the frontend keeps its streams", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  const [worker] = world.workers;
  const sink = world.start(300);
  await world.until(() => sink.ids.length === 5);
  world.bus.disconnect();
  worker.bus.disconnect();
  await world.clock.advance(800);
  world.bus.reconnect();
  await world.clock.advance(600);
  worker.bus.reconnect();
  await world.until(isOver(sink), 6_000);
  assert.equal(sink.ids.length, 300);
  assert.equal(sink.outcome.attempts, 1);
  await settle(world);
});

Deno.test("renew tells each worker its streams and how far they are read", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  const sinks = [world.start(500), world.start(500)];
  await world.clock.advance(1_100);
  const { renewals } = world.workers[0];
  assert.equal(renewals.length, 2);
  const tags = world.workers[0].requests.map((request) => request.tag);
  assert.deepEqual(renewals[1].map(([tag]) => tag), tags);
  assert.ok(renewals[1].every(([, next]) => next > 80 && next <= 110));
  for (const sink of sinks) sink.handle!.cancel();
  await settle(world);
});

Deno.test("renew tells a worker once that a stream was read to its end", async () => {
  await using world = await ScriptedWorld.open({ workers: 1 });
  world.start(5);
  await world.clock.advance(1_600);
  const [{ tag }] = world.workers[0].requests;
  assert.deepEqual(world.workers[0].renewals, [[[tag, 5]]]);
  await settle(world);
});
