import assert from "node:assert/strict";
import { VirtualClock } from "@pixii/runtime";
import { ScriptedEngine } from "./scripted_engine_testing.ts";
import { ids, keyOf, ShellDesk } from "./shell_testing.ts";

async function deskOf(engine: ScriptedEngine, hangMs?: number): Promise<ShellDesk> {
  return await ShellDesk.open(new VirtualClock(), [engine], hangMs);
}

Deno.test("WorkerShell tells every stream of a failed engine, keeps what it said, and gives itself up", async () => {
  const engine = new ScriptedEngine();
  await using desk = await deskOf(engine);
  for (const stream of [1, 2]) assert.equal(await desk.generate(stream), "accepted");
  const [first] = engine.requests;
  engine.say([{ stream: first.stream, firstIndex: 0, tokens: [7, 8], extra: undefined }]);
  await desk.clock.advance(0);
  engine.fail(new Error("it broke"));
  await desk.clock.advance(0);
  assert.equal((await desk.shell.failed).message, "it broke");
  assert.deepEqual(desk.of(1).tokens, [7, 8]);
  for (const stream of [1, 2]) {
    const { ends } = desk.of(stream);
    assert.deepEqual(ends.map((end) => end.error?.code), ["engine_failed"]);
    assert.match(ends[0].error!.message, /its engine has failed \(it broke\)/);
  }
  assert.equal(desk.of(1).ends[0].outputTokens, 2);
  assert.ok(desk.lines.some((line) => line.level === "error"));
});

Deno.test("WorkerShell gives itself up when a step takes longer than it may", async () => {
  const engine = new ScriptedEngine();
  await using desk = await deskOf(engine, 5_000);
  const failures: Error[] = [];
  void desk.shell.failed.then((error) => failures.push(error));
  engine.stepAgeMs = 4_999;
  await desk.clock.advance(1000);
  assert.equal(failures.length, 0);
  assert.equal(desk.loads.at(-1)?.stepAgeMs, 4_999);
  engine.stepAgeMs = 6_000;
  await desk.clock.advance(300);
  assert.match(String(failures), /in one step for 6000 ms/);
});

Deno.test("WorkerShell passes over an engine that speaks of unknown or ended streams", async () => {
  const engine = new ScriptedEngine();
  await using desk = await deskOf(engine);
  await desk.generate(1);
  const [{ stream }] = engine.requests;
  const end = { end: { reason: "stop" as const, stopToken: 2, outputTokens: 0 } };
  engine.say([
    { stream: 99, firstIndex: 0, tokens: [1], extra: undefined },
    { stream, firstIndex: 0, tokens: [], extra: end },
    { stream, firstIndex: 0, tokens: [5], extra: undefined },
    { stream, firstIndex: 1, tokens: [], extra: end },
  ]);
  await desk.clock.advance(0);
  assert.deepEqual([desk.of(1).tokens, desk.of(1).ends.length, desk.frames.length], [[], 1, 1]);
});

Deno.test("WorkerShell asks an engine once to cancel a lost stream, and again for nobody", async () => {
  const engine = new ScriptedEngine();
  await using desk = await deskOf(engine);
  await desk.generate(1);
  await desk.clock.advance(5_000);
  const [{ stream }] = engine.requests;
  assert.deepEqual(engine.cancelled, [stream]);
  desk.tell({ op: "renew", frontend: ids.frontend, streams: [[1, 0]] });
  desk.tell({ op: "cancel", ...keyOf(1) });
  await desk.clock.advance(100);
  assert.deepEqual(engine.cancelled, [stream, stream], "the frontend's own word goes through");
});
