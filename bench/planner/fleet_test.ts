import assert from "node:assert/strict";
import fc from "fast-check";
import { PlannedFleet, sliceMs } from "./fleet.ts";
import { planned, still, thresholds } from "./governors.ts";
import type { Governor } from "./governors.ts";
import { runPlanner } from "./planner_run.ts";
import { LoadCurve, requestsOf } from "./request_line.ts";
import type { LoadRequest } from "./request_line.ts";
import { worldOf } from "./world.ts";

const world = worldOf({ startMs: 30_000, flipMs: 2_000 });
const nobody = { arrived: () => {}, ended: () => {} };

function load(seed: number, minutes = 10): LoadRequest[] {
  const curve = new LoadCurve([
    { atMs: 0, rate: 2, isl: 800, osl: 100 },
    { atMs: minutes * 60_000, rate: 6, isl: 1_500, osl: 60 },
  ]);
  return [...requestsOf(curve, { seed, cv: 1.5, longest: 6_000 })];
}

/** Moves at random, often, in all the ways there are. */
function restless(draws: readonly number[]): Governor {
  let at = 0;
  const next = (below: number) => draws[at++ % draws.length] % below;
  return {
    name: "restless",
    step(fleet) {
      const jobs = ["prefill", "decode"] as const;
      const job = jobs[next(2)];
      const mine = fleet.of(job).filter(({ readyMs }) => readyMs <= fleet.nowMs);
      const kind = next(3);
      if (kind === 0) fleet.start(job);
      else if (mine.length > 1 && kind === 1) fleet.stop(mine[next(mine.length)]);
      else if (mine.length > 1) {
        fleet.flip(mine[next(mine.length)], job === "prefill" ? "decode" : "prefill");
      }
    },
  };
}

Deno.test("PlannedFleet serves every request once, whatever is started, stopped and given another job", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000), { minLength: 8, maxLength: 60 }), (draws) => {
      const requests = load(7, 3);
      const ended = new Map<LoadRequest, number>();
      const run = runPlanner(requests, {
        ...{ world, governor: restless(draws), begin: { prefill: 4, decode: 5 } },
        onSlice: (fleet) => assert.equal(fleet.counts.arrived, fleet.counts.served + fleet.inside),
        onEnded: (request, { ttftMs, itlMs }) => {
          ended.set(request, (ended.get(request) ?? 0) + 1);
          assert.ok(ttftMs > 0 && itlMs >= 0);
        },
      });
      assert.equal(run.served + run.lost, requests.length);
      assert.equal(ended.size, run.served);
      assert.ok([...ended.values()].every((times) => times === 1));
    }),
    { numRuns: 20 },
  );
});

Deno.test("PlannedFleet lets workers work only when they have started, and in another job only after the move", () => {
  const fleet = new PlannedFleet(world, nobody);
  const until = (ms: number) => {
    while (fleet.nowMs < ms) fleet.advance();
  };
  fleet.arrive({ atMs: 0, isl: 980, osl: 1 });
  fleet.start("prefill");
  fleet.start("decode", 0);
  until(world.startMs - sliceMs);
  assert.equal(fleet.waiting, 1);
  // 20 + 980 + 16 ms of computing behind the start, seen at the next slice.
  until(world.startMs + 1_000);
  assert.deepEqual([fleet.waiting, fleet.counts.served], [0, 0]);
  until(world.startMs + 1_100);
  assert.deepEqual([fleet.counts.served, fleet.counts.breaches], [1, 1]);
  const [worker] = fleet.of("prefill");
  fleet.flip(worker, "decode");
  const flippedMs = fleet.nowMs;
  assert.ok(!worker.takes("prefill", flippedMs) && !worker.takes("decode", flippedMs + 1_999));
  until(flippedMs + world.flipMs);
  assert.ok(worker.takes("decode", fleet.nowMs) && !worker.isFlipping);
});

Deno.test("PlannedFleet counts GPU time of workers that start, work and drain, until they are gone", () => {
  const fleet = new PlannedFleet(world, nobody);
  fleet.start("prefill", 0);
  fleet.start("decode", 0);
  fleet.start("decode");
  for (let i = 0; i < 100; i++) fleet.advance();
  assert.equal(fleet.counts.gpuMs, 3 * 10_000);
  fleet.arrive({ atMs: fleet.nowMs, isl: 980, osl: 101 });
  for (let i = 0; i < 20; i++) fleet.advance();
  const [busy] = fleet.workers.filter(({ answers }) => answers > 0);
  fleet.stop(busy);
  fleet.advance();
  assert.equal(fleet.workers.length, 3, "it drains");
  // 100 steps of 35 to 36 ms.
  for (let i = 0; i < 40; i++) fleet.advance();
  assert.equal(fleet.counts.served, 1);
  assert.equal(fleet.workers.length, 2);
  const before = fleet.counts.gpuMs;
  fleet.advance();
  assert.equal(fleet.counts.gpuMs - before, 2 * sliceMs);
});

Deno.test("PlannedFleet steps take what the profile says", () => {
  const itls: number[] = [];
  const fleet = new PlannedFleet(world, {
    ...nobody,
    ended: (_request, { itlMs }) => itls.push(itlMs),
  });
  fleet.start("prefill", 0);
  fleet.start("decode", 0);
  fleet.arrive({ atMs: 0, isl: 1_000, osl: 201 });
  while (fleet.counts.served < 1) fleet.advance();
  // 30 + 4 + context / 1000 with 1000 to 1200 tokens of context.
  assert.ok(itls[0] > 35 && itls[0] < 35.3, `${itls[0]} ms`);
});

Deno.test("runPlanner() gives the same run for the same load, and everybody sees the same requests", () => {
  const same = () =>
    [
      still,
      thresholds({ prompts: 0.8, answers: 12, holdMs: 60_000, looks: 3 }),
      planned(world),
    ].map((governor) => runPlanner(load(3), { world, governor, begin: { prefill: 3, decode: 4 } }));
  const [first, second] = [same(), same()];
  assert.deepEqual(first, second);
  for (const run of first) assert.equal(run.arrived, load(3).length);
});

Deno.test("requestsOf() keeps a curve's rate and lengths, and gaps as unlike as asked for", () => {
  const curve = new LoadCurve([
    { atMs: 0, rate: 20, isl: 500, osl: 100 },
    { atMs: 1_000_000, rate: 20, isl: 500, osl: 100 },
  ]);
  for (const cv of [0.5, 1, 2]) {
    const requests = [...requestsOf(curve, { seed: 5, cv, longest: 1e6 })];
    const gaps = requests.slice(1).map(({ atMs }, i) => atMs - requests[i].atMs);
    const mean = (values: readonly number[]) =>
      values.reduce((sum, one) => sum + one, 0) / values.length;
    const gap = mean(gaps);
    const deviation = Math.sqrt(mean(gaps.map((one) => (one - gap) ** 2)));
    assert.ok(Math.abs(gap / 50 - 1) < 0.05, `mean gap ${gap}`);
    assert.ok(Math.abs(deviation / gap / cv - 1) < 0.05, `cv ${deviation / gap} for ${cv}`);
    assert.ok(Math.abs(mean(requests.map(({ isl }) => isl)) / 500 - 1) < 0.05);
    assert.ok(Math.abs(mean(requests.map(({ osl }) => osl)) / 100 - 1) < 0.05);
  }
});
