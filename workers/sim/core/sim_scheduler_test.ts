import assert from "node:assert/strict";
import fc from "fast-check";
import { routeHashes } from "@pixii/wire";
import { promptOf, Rig } from "./scheduler_testing.ts";

Deno.test("SimScheduler ends every stream once, by its most tokens, with its cached counts", () => {
  const rig = new Rig();
  for (let i = 0; i < 20; i++) {
    rig.submit({ stream: i, tokens: promptOf(3 + 7 * i, i), stop: { maxTokens: 1 + i } });
  }
  rig.finish();
  for (let i = 0; i < 20; i++) {
    const { tokens, ends, cached } = rig.of(i);
    assert.deepEqual([tokens.length, ends], [1 + i, ["length"]]);
    assert.deepEqual(cached, { device: 0, host: 0, disk: 0 });
  }
});

Deno.test("SimScheduler cuts prompts by the step's budget, decodes first", () => {
  const rig = new Rig({ batchTokens: 16 });
  rig.submit({ stream: 1, tokens: promptOf(10), stop: { maxTokens: 20 } });
  assert.deepEqual(pick(rig.step()), [10, 0]);
  rig.submit({ stream: 2, tokens: promptOf(40, 2), stop: { maxTokens: 4 } });
  assert.deepEqual(pick(rig.step()), [15, 1]);
  assert.deepEqual(pick(rig.step()), [15, 1]);
  assert.equal(rig.of(2).tokens.length, 0);
  assert.deepEqual(pick(rig.step()), [10, 1]);
  assert.equal(rig.of(2).tokens.length, 1);
  assert.deepEqual(pick(rig.step()), [0, 2]);
});

Deno.test("SimScheduler computes at most so much of a prompt in a step, and so many prompts at a time", () => {
  const rig = new Rig({ chunkTokens: 8, maxPrefills: 1 });
  rig.submit({ stream: 1, tokens: promptOf(20), stop: { maxTokens: 20 } });
  rig.submit({ stream: 2, tokens: promptOf(10, 2), stop: { maxTokens: 20 } });
  const shapes = Array.from({ length: 6 }, () => rig.step());
  assert.deepEqual(shapes.map(pick), [[8, 0], [8, 0], [4, 0], [8, 1], [2, 1], [0, 2]]);
  assert.deepEqual(shapes.map((shape) => shape.prefillContext), [0, 64, 64, 0, 16, 0]);
});

Deno.test("SimScheduler reuses what others have computed, at most floor((n-1)/blockSize) blocks", () => {
  const rig = new Rig();
  const tokens = promptOf(17);
  const cachedOf = (stream: number, prompt: number[], tenantSalt = "") => {
    rig.submit({ stream, tokens: prompt, tenantSalt, stop: { maxTokens: 1 } });
    rig.finish();
    return rig.of(stream).cached?.device;
  };
  assert.equal(cachedOf(1, tokens), 0);
  assert.equal(cachedOf(2, tokens), 16);
  assert.equal(cachedOf(3, tokens.slice(0, 16)), 12);
  assert.equal(cachedOf(4, [...tokens.slice(0, 9), 999, ...tokens.slice(10)]), 8);
  assert.equal(cachedOf(5, tokens, "tenant"), 0);
});

Deno.test("SimScheduler stores its blocks under the prompt's RouteHashes, each hash once", () => {
  const rig = new Rig();
  const tokens = promptOf(18);
  rig.submit({ stream: 1, tokens });
  rig.submit({ stream: 2, tokens, choice: 1 });
  rig.submit({ stream: 3, tokens: [...tokens, 7] });
  rig.step();
  const { hi, lo } = routeHashes(tokens, { blockSize: 4 });
  const hashes = [...rig.blocks.values()].map((text) => text.split(",").slice(0, 2).join());
  assert.deepEqual(hashes.sort(), Array.from(hi, (word, i) => `${word},${lo[i]}`).sort());
  rig.finish();
});

Deno.test("SimScheduler preempts the last in rank when blocks run out, and nothing is lost", () => {
  const alone = new Rig();
  alone.submit({ stream: 1, tokens: promptOf(20, 1), stop: { maxTokens: 40 } });
  alone.finish();
  const rig = new Rig({ blocks: 20, contextLength: 80 });
  for (let i = 0; i < 4; i++) {
    rig.submit({ stream: i, tokens: promptOf(20, i), stop: { maxTokens: 40 }, priority: -i });
  }
  rig.finish();
  assert.ok(rig.scheduler.preemptions > 0);
  assert.deepEqual(rig.of(1).tokens, alone.of(1).tokens);
  for (let i = 0; i < 4; i++) {
    assert.deepEqual([rig.of(i).tokens.length, rig.of(i).ends], [40, ["length"]]);
  }
});

Deno.test("SimScheduler brings evicted blocks back from the host tier, and counts them there", () => {
  const run = (hostBlocks: number) => {
    const rig = new Rig({ blocks: 16, contextLength: 64, hostBlocks });
    const ask = (stream: number, salt: number) => {
      rig.submit({ stream, tokens: promptOf(33, salt), stop: { maxTokens: 1 } });
      const shapes = [];
      while (rig.scheduler.live > 0) shapes.push(rig.step());
      return { cached: rig.of(stream).cached, hostTokens: shapes[0].hostTokens };
    };
    for (let salt = 0; salt < 4; salt++) ask(salt, salt);
    return ask(9, 0);
  };
  assert.deepEqual(run(0), { cached: { device: 0, host: 0, disk: 0 }, hostTokens: 0 });
  assert.deepEqual(run(64), { cached: { device: 0, host: 32, disk: 0 }, hostTokens: 32 });
  // The host's own order of use: four prompts of 8 blocks have gone through room for 8.
  assert.equal(run(8).cached?.host, 0);
});

Deno.test("SimScheduler ends cancelled streams with the step that runs: waiting, in prefill, in decode", () => {
  const rig = new Rig({ maxSeqs: 2, batchTokens: 8 });
  rig.submit({ stream: 1, tokens: promptOf(4), stop: { maxTokens: 100 } });
  rig.step();
  rig.submit({ stream: 2, tokens: promptOf(100, 2) });
  rig.submit({ stream: 3, tokens: promptOf(4, 3) });
  rig.step(() => {
    for (const stream of [1, 2, 3, 3, 99]) rig.scheduler.cancel(stream);
  });
  for (const stream of [1, 2, 3]) assert.deepEqual(rig.of(stream).ends, ["cancelled"]);
  assert.equal(rig.scheduler.live, 0);
  assert.equal(rig.scheduler.load().activeBlocks, 0);
});

Deno.test("SimScheduler ends the rest with an error when it is closed, in the middle of a step too", () => {
  const rig = new Rig({ maxSeqs: 1 });
  for (const stream of [1, 2]) rig.submit({ stream, tokens: promptOf(20, stream) });
  rig.scheduler.plan();
  const error = { code: "draining" as const, message: "no more" };
  const outputs = rig.scheduler.failAll(error);
  assert.deepEqual(outputs.map(({ extra }) => extra?.end?.error), [error, error]);
  rig.scheduler.checkIntegrity();
  assert.deepEqual([rig.scheduler.live, rig.scheduler.load().activeBlocks], [0, 0]);
});

Deno.test("SimScheduler goes on where another worker stopped, with the same tokens", () => {
  const tokens = promptOf(21);
  const whole = new Rig();
  whole.submit({ stream: 1, tokens, sampling: { temperature: 1 }, stop: { maxTokens: 30 } });
  whole.finish();
  const said = whole.of(1).tokens;
  const rest = new Rig({ blockSize: 8 });
  const emitted = 11;
  const scheduler = rest.scheduler;
  rest.submit({
    stream: 1,
    tokens: [...tokens, ...said.slice(0, emitted)],
    emitted,
    sampling: { temperature: 1 },
    stop: { maxTokens: 30 },
  });
  rest.of(1).tokens.push(...said.slice(0, emitted));
  rest.finish();
  assert.deepEqual(rest.of(1).tokens, said);
  assert.equal(scheduler.live, 0);
});

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      op: fc.constant("submit" as const),
      length: fc.integer({ min: 1, max: 70 }),
      salt: fc.nat(3),
      maxTokens: fc.integer({ min: 1, max: 30 }),
      priority: fc.integer({ min: -1, max: 1 }),
      tenantSalt: fc.constantFrom("", "t"),
    }),
  },
  { weight: 2, arbitrary: fc.record({ op: fc.constant("cancel" as const), stream: fc.nat(30) }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant("step" as const) }) },
);

Deno.test("SimScheduler keeps its books under any load: one end each, events replay to the snapshot", () => {
  fc.assert(
    fc.property(
      fc.record({
        blocks: fc.integer({ min: 19, max: 40 }),
        hostBlocks: fc.constantFrom(0, 5, 100),
        batchTokens: fc.integer({ min: 1, max: 64 }),
        maxSeqs: fc.integer({ min: 1, max: 6 }),
      }),
      fc.array(action, { maxLength: 60 }),
      (options, actions) => {
        const rig = new Rig({ ...options, contextLength: 76 });
        let next = 0;
        const lengths = new Map<number, number>();
        for (const one of actions) {
          if (one.op === "step") {
            rig.step();
            assert.deepEqual(rig.snapshot(), rig.blocks);
          } else if (one.op === "cancel") rig.scheduler.cancel(one.stream);
          else {
            const stream = next++;
            const { length, salt, maxTokens, ...rest } = one;
            const tokens = promptOf(length, salt);
            lengths.set(stream, length);
            assert.equal(rig.submit({ ...rest, stream, tokens, stop: { maxTokens } }), "taken");
          }
        }
        rig.finish();
        assert.deepEqual(rig.snapshot(), rig.blocks);
        for (const [stream, said] of rig.said) {
          assert.equal(said.ends.length, 1, `stream ${stream} has ${said.ends.length} ends`);
          const { device = 0, host = 0 } = said.cached ?? {};
          assert.ok(device + host <= Math.floor((lengths.get(stream)! - 1) / 4) * 4);
        }
        const { running, waiting, prefillTokens, activeBlocks } = rig.scheduler.load();
        assert.deepEqual([running, waiting, prefillTokens, activeBlocks], [0, 0, 0, 0]);
      },
    ),
    { numRuns: 300 },
  );
});

function pick(shape: { prefillTokens: number; decodeSequences: number }): number[] {
  return [shape.prefillTokens, shape.decodeSequences];
}
