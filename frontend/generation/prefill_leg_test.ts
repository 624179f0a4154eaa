import assert from "node:assert/strict";
import { fail, greedySampling, streamKeyText } from "@pixii/wire";
import { ScriptedWorld } from "../testing/scripted_world.ts";
import type { RecordingSink } from "../testing/scripted_world.ts";
import type { ScriptedWorker } from "../testing/scripted_worker.ts";

const isOver = (sink: RecordingSink) => () => sink.outcomes.length > 0;

interface SplitWorld extends AsyncDisposable {
  readonly world: ScriptedWorld;
  readonly decode: ScriptedWorker;
  readonly prefill: ScriptedWorker;
}

/** A decode worker and a prefill worker, and a router that splits every request. */
async function openSplit(): Promise<SplitWorld> {
  const world = await ScriptedWorld.open();
  const [decode, prefill] = world.workers;
  world.router.prefill = prefill.id;
  return { world, decode, prefill, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

/** Checks what every path owes: whole output, one end, one release per booking of each leg. */
async function settle({ world }: SplitWorld): Promise<void> {
  await world.clock.advance(20);
  assert.deepEqual(world.problems(), []);
}

Deno.test("a split stream: the prefill worker says token 0, the decode worker goes on, both are booked and released once", async () => {
  await using split = await openSplit();
  const { world, decode, prefill } = split;
  const sink = world.start(5);
  await world.until(() => sink.ids.length === 1, 500);
  assert.deepEqual(prefill.requests.map(({ handover }) => handover), [{ part: "give" }]);
  assert.deepEqual(decode.requests.map(({ handover }) => handover), [{ part: "take" }]);
  await world.until(isOver(sink), 1_000);
  assert.deepEqual(decode.words, ["given"]);
  assert.deepEqual(sink.ids, [1000, 1001, 1002, 1003, 1004]);
  assert.deepEqual([sink.workers, sink.prefillWorkers], [[decode.id], [prefill.id]]);
  // As the prefill worker told: what it had cached was computed nowhere.
  assert.deepEqual(sink.outcome.cached, { device: 1, host: 0, disk: 0 });
  await settle(split);
  const books = world.ledger.flatMap((entry) => entry.op === "book" ? [entry] : []);
  assert.deepEqual(books.map(({ leg, prefillTokens }) => [leg, prefillTokens]), [[0, 0], [1, 24]]);
});

Deno.test("a prefill worker that refuses, dies, hangs or gives up: the decode worker is told and computes, nothing else changes", async () => {
  const acts: ((prefill: ScriptedWorker) => void)[] = [
    (prefill) => prefill.script.refuse = fail("overloaded", "full").error,
    (prefill) => prefill.script.isDeaf = true,
    (prefill) => prefill.script.failNext = fail("engine_failed", "no").error,
    (prefill) => prefill.kill(),
  ];
  for (const act of acts) {
    await using split = await openSplit();
    act(split.prefill);
    const sink = split.world.start(4);
    await split.world.until(isOver(sink), 6_000);
    assert.deepEqual(sink.ids, [1000, 1001, 1002, 1003]);
    assert.deepEqual(split.decode.words, ["lost"], String(act));
    assert.equal(sink.outcome.attempts, 1);
    await settle(split);
  }
});

Deno.test("a prefill worker that never answers is cancelled once the decode worker goes on by itself", async () => {
  await using split = await openSplit();
  const { world, decode, prefill } = split;
  prefill.script.isStuck = true;
  const sink = world.start(4);
  await world.until(() => prefill.streams.size === 1, 500);
  decode.hasBlocks = true;
  await world.until(isOver(sink), 1_000);
  assert.deepEqual(sink.ids, [1000, 1001, 1002, 1003]);
  assert.equal(prefill.cancelled.length, 1);
  await settle(split);
});

Deno.test("a client that leaves cancels both legs at once", async () => {
  await using split = await openSplit();
  const { world, decode, prefill } = split;
  prefill.script.isStuck = true;
  const sink = world.start(4);
  await world.until(() => decode.streams.size === 1 && prefill.streams.size === 1, 500);
  sink.handle!.cancel();
  await world.clock.advance(5);
  const keys = (worker: ScriptedWorker) => worker.requests.map(streamKeyText);
  assert.deepEqual(decode.cancelled, keys(decode));
  assert.deepEqual(prefill.cancelled, keys(prefill));
  await settle(split);
});

Deno.test("a decode worker that dies behind token 0: the stream goes on elsewhere behind it", async () => {
  await using split = await openSplit();
  const { world, decode, prefill } = split;
  const other = await world.addWorker();
  const sink = world.start(5);
  await world.until(() => sink.ids.length === 1, 500);
  const [first, second] = sink.workers[0] === decode.id ? [decode, other] : [other, decode];
  second.hasBlocks = true;
  first.hasBlocks = false;
  first.script.isStuck = true;
  first.kill();
  await world.until(isOver(sink), 10_000);
  assert.deepEqual(sink.ids, [1000, 1001, 1002, 1003, 1004]);
  assert.equal(prefill.requests.at(-1)!.emitted, 1);
  await settle(split);
});

Deno.test("a decode worker that begins otherwise than the client was told is left", async () => {
  await using split = await openSplit();
  const { world, decode } = split;
  decode.script.speak = (_, index) => index === 0 ? 7 : 1000 + index;
  const other = await world.addWorker();
  other.hasBlocks = true;
  const sink = world.start(3);
  await world.until(isOver(sink), 5_000);
  assert.deepEqual(sink.ids, [1000, 1001, 1002]);
  await settle(split);
});

Deno.test("one token, or log-probabilities, are not split: the leg's booking is released", async () => {
  await using split = await openSplit();
  const { world, prefill } = split;
  const one = world.start(1);
  const logs = world.start(2, { sampling: { ...greedySampling, logprobs: 1 } });
  await world.until(() => isOver(one)() && isOver(logs)(), 1_000);
  assert.equal(prefill.requests.length, 0);
  const released = world.ledger.filter(({ op, leg }) => op === "complete" && leg === 1);
  assert.equal(released.length, 2);
  await settle(split);
});

Deno.test("a stream that ends with its first token ends with the prefill leg", async () => {
  await using split = await openSplit();
  const { world, decode, prefill } = split;
  prefill.script.speak = () => undefined;
  const sink = world.start(4);
  await world.until(isOver(sink), 500);
  assert.deepEqual([sink.ids, sink.outcome.reason], [[], "stop"]);
  await world.clock.advance(5);
  assert.equal(decode.cancelled.length, 1);
  await settle(split);
});
