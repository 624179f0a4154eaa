import assert from "node:assert/strict";
import fc from "fast-check";
import { VirtualClock, virtualEpochMs } from "./clock_virtual.ts";

Deno.test("VirtualClock.advance() runs timers by time, then by creation", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(20), { maxLength: 60 }), async (delays) => {
      const clock = new VirtualClock();
      const seen: (readonly [number, number])[] = [];
      delays.forEach((ms, i) => clock.timer(ms, () => seen.push([clock.nowMs(), i])));
      await clock.advance(20);
      const wanted = delays.map((ms, i) => [ms, i] as const)
        .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      assert.deepEqual(seen, wanted);
      assert.equal(clock.waiting, 0);
    }),
    { numRuns: 40 },
  );
});

Deno.test("VirtualClock.advance() runs what callbacks add within the span, and nothing after it", async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.timer(5, () => {
    seen.push("a");
    clock.timer(5, () => seen.push("b"));
    clock.timer(6, () => seen.push("late"));
    clock.timer(0, () => seen.push("now"));
  });
  await clock.advance(10);
  assert.deepEqual(seen, ["a", "now", "b"]);
  assert.equal(clock.nowMs(), 10);
  assert.equal(clock.wallMs(), virtualEpochMs + 10);
  await clock.advance(1);
  assert.deepEqual(seen, ["a", "now", "b", "late"]);
});

Deno.test("VirtualClock.advance() lets promises settle between timers", async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const walk = async (name: string) => {
    for (let i = 0; i < 3; i++) {
      await clock.sleep(10);
      await Promise.resolve();
      seen.push(`${name}${i}@${clock.nowMs()}`);
    }
  };
  const both = Promise.all([walk("a"), walk("b")]);
  await clock.advance(30);
  await both;
  assert.deepEqual(seen, ["a0@10", "b0@10", "a1@20", "b1@20", "a2@30", "b2@30"]);
});

Deno.test("VirtualClock.every() repeats without drift until disposed, also from inside", async () => {
  const clock = new VirtualClock();
  const seen: number[] = [];
  const timer = clock.every(10, () => {
    seen.push(clock.nowMs());
    if (seen.length === 3) timer[Symbol.dispose]();
  });
  await clock.advance(15);
  await clock.advance(85);
  assert.deepEqual(seen, [10, 20, 30]);
  assert.equal(clock.waiting, 0);
  assert.throws(() => clock.every(0, () => {}), RangeError);
});

Deno.test("VirtualClock.sleep() rejects with the signal's reason and leaves no timer", async () => {
  const clock = new VirtualClock();
  using deadline = clock.deadline(50);
  const sleep = assert.rejects(clock.sleep(1_000, deadline.signal), { name: "TimeoutError" });
  await clock.advance(50);
  await sleep;
  assert.equal(clock.waiting, 0);
  await assert.rejects(clock.sleep(1, AbortSignal.abort(new Error("gone"))), /gone/);
});

Deno.test("VirtualClock.advance() rejects with what a callback throws and works on afterwards", async () => {
  const clock = new VirtualClock();
  clock.timer(1, () => {
    throw new Error("broken callback");
  });
  await assert.rejects(clock.advance(5), /broken callback/);
  assert.equal(clock.nowMs(), 1);
  await clock.advance(4);
  assert.equal(clock.nowMs(), 5);
});

Deno.test("VirtualClock.turn() runs in the same instant, after what is due, until disposed", async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  clock.timer(5, () => {
    clock.turn(() => seen.push(`turn@${clock.nowMs()}`));
    clock.turn(() => seen.push("never"))[Symbol.dispose]();
    seen.push("timer");
  });
  clock.timer(5, () => seen.push("other"));
  await clock.advance(5);
  assert.deepEqual(seen, ["timer", "other", "turn@5"]);
});

Deno.test("VirtualClock.advance() lets whole chains of promises settle between timers where it is closed, too", async () => {
  const clock = new VirtualClock({ isClosed: true });
  const seen: string[] = [];
  for (let i = 0; i < 600; i++) {
    clock.timer(1, async () => {
      for (let hop = 0; hop < 50; hop++) await Promise.resolve();
      seen.push(`${i}`);
    });
    clock.timer(1, () => seen.push(`after ${i}`));
  }
  await clock.advance(1);
  const wanted = Array.from({ length: 600 }, (_, i) => [`${i}`, `after ${i}`]).flat();
  assert.deepEqual(seen, wanted);
});
