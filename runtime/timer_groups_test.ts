import assert from "node:assert/strict";
import fc from "fast-check";
import { VirtualClock } from "./clock_virtual.ts";
import { TimerGroups } from "./timer_groups.ts";

/** Groups over a virtual clock, and the native timers for which a program would stay up. */
function groupsOn(clock: VirtualClock) {
  const kept = new Set<Disposable>();
  const groups = new TimerGroups({
    nowMs: () => clock.nowMs(),
    set: (ms, callback) => {
      const timer = clock.timer(ms, () => {
        kept.delete(timer);
        callback();
      });
      kept.add(timer);
      return {
        keep: (isKept) => void (isKept ? kept.add(timer) : kept.delete(timer)),
        [Symbol.dispose]: () => {
          kept.delete(timer);
          timer[Symbol.dispose]();
        },
      };
    },
  });
  return { groups, kept };
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
      const { groups, kept } = groupsOn(clock);
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
      assert.deepEqual([groups.size, clock.waiting, kept.size], [0, 0, 0]);
    }),
    { numRuns: 200 },
  );
});

Deno.test("TimerGroups shares native timers, and keeps the program up only while somebody waits", async () => {
  const clock = new VirtualClock();
  const { groups, kept } = groupsOn(clock);
  const timers: Disposable[] = [];
  for (let i = 0; i < 1_000; i++) {
    timers.push(groups.add(1_000, () => assert.fail("dropped")));
    if (i % 10 === 9) await clock.advance(1);
  }
  assert.ok(groups.size < 10, `${groups.size} native timers for 1,000 waits`);
  assert.equal(kept.size, groups.size);
  for (const timer of timers) timer[Symbol.dispose]();
  assert.equal(kept.size, 0);
  using _again = groups.add(1_000, () => {});
  assert.equal(kept.size, 1);
  await clock.advance(2_000);
  assert.deepEqual([groups.size, clock.waiting, kept.size], [0, 0, 0]);
});

Deno.test("TimerGroups takes a wait of a callback, whichever group that falls into", async () => {
  const clock = new VirtualClock();
  const { groups } = groupsOn(clock);
  const fired: number[] = [];
  groups.add(100, () => {
    fired.push(clock.nowMs());
    groups.add(1, () => fired.push(clock.nowMs()));
    groups.add(100, () => fired.push(clock.nowMs()));
  });
  await clock.advance(1_000);
  assert.deepEqual([fired, groups.size], [[100, 101, 200], 0]);
});
