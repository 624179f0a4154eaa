import assert from "node:assert/strict";
import { ok } from "@pixii/wire";
import { VirtualClock } from "@pixii/runtime";
import type { StepBatch } from "../engine.ts";
import { promptOf, requestOf } from "./core/scheduler_testing.ts";
import type { Ask } from "./core/scheduler_testing.ts";
import type { SimEngine } from "./engine.ts";
import { flatProfile } from "./profile_testing.ts";
import { openSims } from "./open_testing.ts";
import type { SimOptions } from "./open.ts";

/** Ranks under a virtual clock, and everything they said, with its time. */
class Scene implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly lines: string[] = [];
  engines: readonly SimEngine[] = [];
  #pumps: Promise<void>[] = [];

  static async open(options: Partial<SimOptions> = {}): Promise<Scene> {
    const scene = new Scene();
    scene.engines = await openSims({ ...options, clock: scene.clock });
    scene.#pumps = scene.engines.map(async (engine, rank) => {
      for await (const batch of engine.steps()) {
        scene.lines.push(scene.#line(rank, batch));
        engine.checkIntegrity();
      }
    });
    return scene;
  }

  submit(ask: Ask, rank = 0): void {
    const taken = this.engines[rank].submit(requestOf(ask));
    assert.ok(taken.ok, JSON.stringify(taken));
  }

  /** Times of the steps of one rank. */
  times(rank = 0): number[] {
    return this.lines.map((line) => line.split(" ")).filter((one) => one[1] === `${rank}`)
      .map((one) => Number(one[0]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.engines.map((engine) => engine[Symbol.asyncDispose]()));
    await Promise.all(this.#pumps);
  }

  #line(rank: number, { step, outputs, kvEvents }: StepBatch): string {
    const plain = (_: string, value: unknown) =>
      value instanceof Uint32Array ? [...value].join(".") : value;
    return `${this.clock.nowMs()} ${rank} ${step} ${JSON.stringify([outputs, kvEvents], plain)}`;
  }
}

/** The mocker's time of a prompt of n tokens. */
const prefillMs = (n: number) => 4.209989e-7 * n * n + 1.518344e-2 * n + 16.50142;

function near(got: readonly number[], wanted: readonly number[]): void {
  assert.equal(got.length, wanted.length, `${got} and ${wanted}`);
  got.forEach((one, i) => assert.ok(Math.abs(one - wanted[i]) < 1e-6, `${got} and ${wanted}`));
}

Deno.test("SimEngine takes as long as the model: a prefill, then decodes back to back", async () => {
  await using scene = await Scene.open({ blocks: 1_000_000, ctx: 1024 });
  scene.submit({ stream: 1, tokens: promptOf(100), stop: { maxTokens: 3 } });
  await scene.clock.advance(1000);
  near(scene.times(), [0, 0, 0]);
  await using timed = await Scene.open({ blocks: 1_000_000, speed: 1 });
  timed.submit({ stream: 1, tokens: promptOf(100), stop: { maxTokens: 3 } });
  await timed.clock.advance(1000);
  const decode = (context: number) => 5.74 + 54.01 * context / 16e6 - 25.74 * (context / 16e6) ** 2;
  const first = prefillMs(100);
  near(timed.times(), [first, first + decode(101), first + decode(101) + decode(102)]);
});

Deno.test("SimEngine is so many times faster than the model, and takes a profile", async () => {
  await using fast = await Scene.open({ speed: 4 });
  fast.submit({ stream: 1, tokens: promptOf(100), stop: { maxTokens: 1 } });
  await fast.clock.advance(1000);
  near(fast.times(), [prefillMs(100) / 4]);
  const profile = await Deno.makeTempFile();
  await Deno.writeTextFile(profile, JSON.stringify(flatProfile({ prefillMs: 2, decodeMs: 9 })));
  await using slow = await Scene.open({ speed: 1, profile });
  await using twice = await Scene.open({ speed: 2, profile });
  await Deno.remove(profile);
  assert.deepEqual(twice.engines[0].card().profile?.decode.ms, [[4.5]], "the card says what it is");
  slow.submit({ stream: 1, tokens: promptOf(100), stop: { maxTokens: 2 } });
  await slow.clock.advance(1000);
  near(slow.times(), [200, 209]);
});

Deno.test("SimEngine reports the age of its step, what is left to compute, and modelled rates", async () => {
  await using scene = await Scene.open({ speed: 1, blocks: 128 });
  scene.submit({ stream: 1, tokens: promptOf(200), stop: { maxTokens: 2 } });
  await scene.clock.advance(10);
  const [engine] = scene.engines;
  const { running, prefillTokens, stepAgeMs, stepCount } = engine.load();
  assert.deepEqual([running, prefillTokens, stepAgeMs, stepCount], [1, 200, 10, 0]);
  await scene.clock.advance(100);
  const load = engine.load();
  assert.deepEqual([load.running, load.prefillTokens, load.stepAgeMs, load.stepCount], [
    ...[0, 0, 0, 2],
  ]);
  near([load.prefillRate], [200 / prefillMs(200) * 1000]);
  assert.deepEqual([load.activeBlocks, load.cachedBlocks, load.totalBlocks], [0, 12, 128]);
});

Deno.test("SimEngine gives a snapshot that is true after its step, also from the middle of one", async () => {
  await using scene = await Scene.open({ speed: 1 });
  const [engine] = scene.engines;
  assert.deepEqual(await engine.snapshot(), ok({ step: 0, kvEvents: [] }));
  scene.submit({ stream: 1, tokens: promptOf(40), stop: { maxTokens: 100 } });
  await scene.clock.advance(1);
  const asked = engine.snapshot();
  await scene.clock.advance(100);
  const taken = await asked;
  assert.ok(taken.ok);
  const { step, kvEvents } = taken.value;
  assert.equal(step, 1);
  assert.deepEqual(kvEvents.map((event) => event.op === "stored" ? event.numbers.length : 0), [2]);
});

Deno.test("SimEngine ends a cancelled stream with the step that runs", async () => {
  await using scene = await Scene.open({ speed: 1 });
  scene.submit({ stream: 1, tokens: promptOf(200), stop: { maxTokens: 100 } });
  await scene.clock.advance(5);
  scene.engines[0].cancel(1);
  await scene.clock.advance(prefillMs(200) - 4);
  assert.equal(scene.lines.length, 1);
  assert.match(scene.lines[0], /"reason":"cancelled"/);
});

Deno.test("SimEngine says the same byte for byte under the same clock", async () => {
  const run = async (speed: number) => {
    await using scene = await Scene.open({ speed, ranks: 3, blocks: 40, ctx: 600, maxSeqs: 6 });
    for (let i = 0; i < 30; i++) {
      scene.submit(
        { stream: i, tokens: promptOf(20 + 9 * i, i % 5), stop: { maxTokens: 30 } },
        i % 3,
      );
      if (i % 4 === 3) scene.engines[i % 3].cancel(i - 3);
      await scene.clock.advance(7);
    }
    await scene.clock.advance(10_000);
    assert.ok(scene.engines.every((engine) => engine.load().running === 0));
    assert.equal(scene.clock.waiting, 0, "nothing is left armed");
    return scene.lines;
  };
  for (const speed of [1, 10, Infinity]) {
    const first = await run(speed);
    assert.ok(first.length > 100);
    assert.deepEqual(await run(speed), first);
  }
});

Deno.test("200 ranks run side by side on one driver, each at its own time", async () => {
  await using scene = await Scene.open({ ranks: 200, speed: 1, maxWaiting: 0 });
  assert.equal(scene.engines[7].card().dpSize, 200);
  for (let rank = 0; rank < 200; rank++) {
    scene.submit({ stream: 1, tokens: promptOf(2 + rank), stop: { maxTokens: 4 } }, rank);
  }
  await scene.clock.advance(1000);
  for (let rank = 0; rank < 200; rank += 37) {
    assert.equal(scene.times(rank).length, 4);
    near(scene.times(rank).slice(0, 1), [prefillMs(2 + rank)]);
  }
  const ends = scene.lines.filter((line) => line.includes('"reason":"length"')).length;
  assert.equal(ends, 200);
});

Deno.test("SimEngine lets the event loop turn between steps that follow without a pause", async () => {
  const [engine] = await openSims();
  let turns = 0;
  let going = true;
  const turn = () => {
    turns += 1;
    if (going) setTimeout(turn, 0);
  };
  turn();
  engine.submit(requestOf({ stream: 1, tokens: promptOf(9), stop: { maxTokens: 900 } }));
  let steps = 0;
  for await (const batch of engine.steps()) {
    steps = batch.step;
    if (batch.outputs.some(({ extra }) => extra?.end !== undefined)) break;
  }
  going = false;
  assert.equal(steps, 900);
  assert.ok(turns > 1, "timers ran meanwhile");
  await engine[Symbol.asyncDispose]();
});
