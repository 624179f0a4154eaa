import assert from "node:assert/strict";
import fc from "fast-check";
import { VirtualClock } from "./clock_virtual.ts";
import { TimerGroups } from "./timer_groups.ts";

function groupsOn(clock: VirtualClock): TimerGroups {
  return new TimerGroups({
    nowMs: () => clock.nowMs(),
    set: (ms, callback) => clock.timer(ms, callback),
  });
}

Deno.test("TimerGroups calls each back once at its own time, never a dropped one", async () => {
  const wait = fc.record({
    atMs: fc.nat(2_000),
    ms: fc.integer({ min: 1, max: 3_000 }),
    dropAfterMs: fc.option(fc.nat(3_000)),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(wait, { maxLength: 30 }), async (waits) => {
      const clock = new VirtualClock();
      const groups = groupsOn(clock);
      const fired: [number, number][] = [];
      waits.forEach(({ atMs, ms, dropAfterMs }, i) =>
        clock.timer(atMs, () => {
          const timer = groups.add(ms, () => fired.push([i, clock.nowMs()]));
          if (dropAfterMs !== null) clock.timer(dropAfterMs, () => timer[Symbol.dispose]());
        })
      );
      await clock.advance(10_000);
      const due = waits.flatMap(({ atMs, ms, dropAfterMs }, i): [number, number][] =>
        dropAfterMs !== null && dropAfterMs < ms ? [] : [[i, atMs + ms]]
      );
      // Dropped in the very instant it was due: either way is right.
      const tied = new Set(
        waits.flatMap(({ ms, dropAfterMs }, i) => dropAfterMs === ms ? [i] : []),
      );
      const sure = (all: [number, number][]) =>
        all.filter(([i]) => !tied.has(i)).sort(([a], [b]) => a - b);
      assert.deepEqual(sure(fired), sure(due));
      assert.deepEqual([groups.size, clock.waiting], [0, 0]);
    }),
    { numRuns: 200 },
  );
});

Deno.test("TimerGroups shares native timers, and has none where nobody waits", async () => {
  const clock = new VirtualClock();
  const groups = groupsOn(clock);
  const timers: Disposable[] = [];
  for (let i = 0; i < 1_000; i++) {
    timers.push(groups.add(1_000, () => assert.fail("dropped")));
    if (i % 10 === 9) await clock.advance(1);
  }
  assert.ok(groups.size < 10, `${groups.size} native timers for 1,000 waits`);
  for (const timer of timers) timer[Symbol.dispose]();
  assert.deepEqual([groups.size, clock.waiting], [0, 0]);
});
