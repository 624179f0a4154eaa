import assert from "node:assert/strict";
import fc from "fast-check";
import type { WorkerProfile } from "@pixii/wire";
import { DeskWorld, placeOf } from "../testing/desk_world.ts";
import { batchOf, hashesOf, modelHash } from "../testing/samples.ts";
import type { QueueRules } from "./queue_rules.ts";

/** One millisecond a token. */
const profile: WorkerProfile = {
  ...{ version: 1, model: "m", modelDigest: "d", engine: "sim", engineVersion: "1" },
  ...{ machine: "m", measuredAt: "2026-01-01T00:00:00Z", about: "", blockSize: 16 },
  prefill: { newTokens: [0, 10_000], contextTokens: [0], ms: [[0], [10_000]] },
  decode: { sequences: [1], contextTokens: [0], ms: [[0]] },
  onboardBlockMs: {},
};

/** Workers 1 to `workers`, full with any prompt; the weights beside a request's own time are off. */
function worldOf(workers: number, more: Partial<QueueRules> = {}): DeskWorld {
  const busy = { waitingPerRank: 99, prefillTokens: 0, prefillMs: 1, blocks: 0 };
  const ttft = { workWeight: 0, spreadWeight: 0, stickyBacklogMs: 1_000, assumedRate: 1_000 };
  return new DeskWorld(
    workers,
    { busy, waitForBest: true, maxRequests: 64, maxTokens: 100_000, ...more },
    { rules: { policy: "ttft", ttft }, card: { profile, contextLength: 100_000 } },
  );
}

/** Worker 1 holds the first `blocks` of the prompts of `seed`. */
function store(world: DeskWorld, seed: number, blocks: number): void {
  const numbers = Uint32Array.from({ length: blocks }, (_, i) => i + 1);
  const stored = { op: "stored", parent: 0, ...hashesOf(seed, blocks), numbers } as const;
  world.state.events(batchOf(1, { number: 1, events: [stored] }), world.nowMs);
}

Deno.test("a request waits for the worker that will answer it first, though another is idle", () => {
  const world = worldOf(2);
  store(world, 1, 4);
  // 144 ms of which 64 are cached: 80 ms on worker 1, 144 ms elsewhere.
  const alike = { seed: 1, blocks: 9 };
  assert.equal(placeOf(world.ask(1, undefined, alike)), 1);
  world.nowMs = 40;
  // 40 ms more there, and 80 of its own: 120 ms.
  assert.equal(placeOf(world.ask(2, undefined, alike)), "queued");
  // Behind that 200 ms: sooner elsewhere.
  assert.equal(placeOf(world.ask(3, undefined, alike)), 2);
  world.nowMs = 80;
  world.began(1);
  assert.deepEqual(world.ends(), [[2, 1]]);
});

Deno.test("one that waits for its best worker stops nobody who finds another better", () => {
  const world = worldOf(2);
  store(world, 1, 8);
  assert.equal(placeOf(world.ask(1, undefined, { seed: 1, blocks: 9 })), 1);
  assert.equal(placeOf(world.ask(2, undefined, { seed: 1, blocks: 9 })), "queued");
  assert.equal(placeOf(world.ask(3, undefined, { seed: 2, blocks: 9 })), 2);
  // A policy that predicts nothing takes any worker with room, and where none has, waits for one.
  assert.equal(placeOf(world.ask(4, { policy: "kv" }, { seed: 1, blocks: 9 })), "queued");
  world.began(3);
  assert.deepEqual(world.ends(), [[4, 2]]);
});

Deno.test("nobody takes the worker that an earlier one waits for", () => {
  const world = worldOf(1);
  for (const number of [1, 2]) world.ask(number);
  world.began(1);
  // Before the next pass: the worker is free, and it is the second one's.
  assert.equal(placeOf(world.ask(3)), "queued");
  assert.deepEqual(world.ends(), [[2, 1]]);
});

Deno.test("less work passes more, by as much later as the weight says, and no further", () => {
  const world = worldOf(1, { workWeight: 2 });
  world.ask(1, undefined, { blocks: 1 });
  world.ask(2, undefined, { blocks: 60, isl: 1_000 });
  // 1,000 ms of work count as 2 s later, 16 ms as 32 ms.
  world.advance(1_900);
  world.ask(3, undefined, { blocks: 1 });
  world.advance(200);
  world.ask(4, undefined, { blocks: 1 });
  const order: number[] = [];
  for (let last = 1; order.length < 3;) {
    world.began(last);
    const [[number]] = world.ends();
    order.push(last = number as number);
  }
  assert.deepEqual(order, [3, 2, 4]);
});

Deno.test("a long prompt is placed in the end, however many short ones keep coming", () => {
  const property = fc.property(fc.integer({ min: 1, max: 5 }), (weight) => {
    const world = worldOf(1, { workWeight: weight, agedMs: 1e9, maxWaitMs: 1e9 });
    world.ask(1, undefined, { blocks: 1 });
    world.ask(2, undefined, { blocks: 60, isl: 1_000 });
    let [next, last] = [3, 1];
    // A short one comes with every one that is served: the worker never has time to spare.
    for (let waitedMs = 0; last !== 2; waitedMs += 16) {
      assert.ok(waitedMs <= 1_000 * weight + 100, `still waiting after ${waitedMs} ms`);
      world.ask(next++, undefined, { blocks: 1, remainingMs: 1e9 });
      world.advance(16);
      world.began(last);
      world.done(last);
      const [[number]] = world.ends();
      last = number as number;
    }
  });
  fc.assert(property, { numRuns: 5 });
});

Deno.test("requests that come together are chosen from together", () => {
  const world = worldOf(1, { workWeight: 2, gatherMs: 5 });
  world.nowMs = 100;
  assert.equal(placeOf(world.ask(1, undefined, { blocks: 60 })), "queued");
  world.nowMs = 103;
  assert.equal(placeOf(world.ask(2, undefined, { blocks: 1 })), "queued");
  assert.deepEqual([world.desk.nextReadyMs(103), world.ends()], [105, []]);
  world.nowMs = 105;
  assert.deepEqual(world.ends(), [[2, 1]]);
  assert.equal(world.desk.nextReadyMs(105), Infinity);
  // The next one begins another gathering, behind the one that waits.
  world.nowMs = 106;
  world.ask(3, undefined, { blocks: 60 });
  assert.equal(world.desk.nextReadyMs(106), 111);
});

Deno.test("who may not wait is not gathered, nor is anybody where the queue is full", () => {
  const world = worldOf(2, { gatherMs: 5, maxRequests: 1 });
  const first = placeOf(world.ask(1, { queueMs: 0 }));
  assert.equal(placeOf(world.ask(2)), "queued");
  const third = placeOf(world.ask(3));
  assert.deepEqual([first, third].sort(), [1, 2]);
  assert.equal(placeOf(world.ask(4)), "refused");
});

Deno.test("no worker is idle beside those who wait, whatever they share", () => {
  const asks = fc.array(fc.record({ seed: fc.nat(3), blocks: fc.integer({ min: 1, max: 12 }) }), {
    minLength: 1,
    maxLength: 40,
  });
  const property = fc.property(asks, fc.boolean(), (all, isGathered) => {
    const world = worldOf(2, { workWeight: 3, gatherMs: isGathered ? 5 : 0 });
    store(world, 1, 6);
    const running = new Set<number>();
    all.forEach((one, i) => {
      if (placeOf(world.ask(i + 1, undefined, one)) !== "queued") running.add(i + 1);
    });
    world.nowMs = 5;
    for (let rounds = 0; world.desk.size > 0; rounds++) {
      assert.ok(rounds <= all.length, `${world.desk.size} still wait`);
      for (const number of running) world.began(number);
      running.clear();
      for (const [number] of world.ends()) running.add(number);
      assert.ok(running.size > 0, "workers are idle beside those who wait");
    }
    assert.equal(world.desk.queues.get(modelHash)?.size ?? 0, 0);
  });
  fc.assert(property, { numRuns: 100 });
});
