import assert from "node:assert/strict";
import fc from "fast-check";
import { fail } from "@pixii/wire";
import { ScriptedWorld } from "../testing/scripted_world.ts";

/** One thing that happens to the world, `afterMs` after the one before. `at` picks a worker or a stream. */
const event = fc.record({
  afterMs: fc.integer({ min: 0, max: 900 }),
  at: fc.nat(31),
  forMs: fc.integer({ min: 20, max: 6_500 }),
  what: fc.constantFrom(
    ...["start", "start", "start", "cancel", "kill", "add", "lose-frames", "stutter"] as const,
    ...["deaf", "stuck", "silent", "refuse", "engine-fails", "forget", "cut-worker"] as const,
    ...["cut-frontend", "router-deaf", "router-refuses", "lease-lost"] as const,
  ),
});
type FaultEvent = typeof event extends fc.Arbitrary<infer Value> ? Value : never;

const refusals = ["overloaded", "draining", "engine_failed", "invalid_request"] as const;

async function happen(world: ScriptedWorld, one: FaultEvent): Promise<void> {
  const { clock, router } = world;
  const worker = world.workers[one.at % world.workers.length];
  const later = (undo: () => void) => void clock.timer(one.forMs, undo);
  switch (one.what) {
    case "start":
      if (world.directory.list().length === 0) return;
      world.start(1 + one.at * 10, { deadlineInMs: 20_000 });
      return;
    case "cancel":
      world.sinks[one.at % Math.max(1, world.sinks.length)]?.handle?.cancel();
      return;
    case "kill":
      return worker.kill();
    case "add":
      if (world.workers.length < 8) await world.addWorker();
      return;
    case "lose-frames":
      worker.script.loseFrames = one.at;
      return;
    case "stutter":
      worker.script.isStuttering = !worker.script.isStuttering;
      return;
    case "deaf":
      worker.script.isDeaf = true;
      return later(() => worker.script.isDeaf = false);
    case "stuck":
      worker.script.isStuck = true;
      return later(() => worker.script.isStuck = false);
    case "silent":
      worker.script.isSilent = true;
      return later(() => worker.script.isSilent = false);
    case "refuse":
      worker.script.refuse = fail(refusals[one.at % refusals.length], "scripted").error;
      return later(() => worker.script.refuse = undefined);
    case "engine-fails":
      worker.script.failNext = fail("engine_failed", "scripted").error;
      return;
    case "forget":
      return worker.streams.clear();
    case "cut-worker":
      worker.bus.disconnect();
      return later(() => worker.bus.reconnect());
    case "cut-frontend":
      world.bus.disconnect();
      return later(() => world.bus.reconnect());
    case "router-deaf":
      router.isDeaf = true;
      return later(() => router.isDeaf = false);
    case "router-refuses":
      router.refuse = fail(refusals[one.at % refusals.length], "scripted").error;
      return later(() => router.refuse = undefined);
    case "lease-lost":
      return worker.registry.expire();
  }
}

Deno.test("every stream ends once, whole and released, under any faults", async () => {
  const property = fc.asyncProperty(
    fc.array(event, { minLength: 8, maxLength: 60 }),
    fc.nat(1_000),
    async (events, seed) => {
      await using world = await ScriptedWorld.open({ workers: 3, seed });
      for (const one of events) {
        await world.clock.advance(one.afterMs);
        await happen(world, one);
      }
      // Longer than the longest deadline, and than the longest cut of the connection.
      await world.clock.advance(21_000);
      for (const sink of world.sinks) {
        const { reason, outputTokens, error } = sink.outcome;
        assert.equal(outputTokens, sink.ids.length);
        assert.equal(error !== undefined, reason === "error");
      }
      assert.deepEqual(world.problems(), []);
    },
  );
  await fc.assert(property, { numRuns: 60, seed: 20260101 });
});
