import assert from "node:assert/strict";
import { systemClock } from "./clock_system.ts";

Deno.test("systemClock() sleeps at least as long as asked and does not run backwards", async () => {
  const clock = systemClock();
  const start = clock.nowMs();
  await clock.sleep(5);
  assert.ok(clock.nowMs() - start >= 4, `slept ${clock.nowMs() - start} ms`);
  assert.ok(clock.wallMs() > 1_600_000_000_000);
});

Deno.test("systemClock().sleep() ends at once when its signal aborts", async () => {
  const controller = new AbortController();
  const sleep = systemClock().sleep(3_600_000, controller.signal);
  controller.abort(new Error("enough"));
  await assert.rejects(sleep, /enough/);
});

Deno.test("systemClock().timer() takes waits beyond 2^31 ms without firing early", async () => {
  const clock = systemClock();
  let fired = false;
  using _timer = clock.timer(2 ** 32, () => fired = true);
  await clock.sleep(5);
  assert.equal(fired, false);
});

Deno.test("systemClock().deadline() aborts with a TimeoutError", async () => {
  using deadline = systemClock().deadline(1);
  const aborted = Promise.withResolvers<void>();
  deadline.signal.addEventListener("abort", () => aborted.resolve());
  await aborted.promise;
  assert.equal(deadline.signal.reason.name, "TimeoutError");
});

Deno.test("systemClock().turn() comes after promises, before a timer, and not when disposed", async () => {
  const clock = systemClock();
  const seen: string[] = [];
  clock.turn(() => seen.push("never"))[Symbol.dispose]();
  await new Promise<void>((resolve) => {
    clock.timer(20, () => {
      seen.push("timer");
      resolve();
    });
    clock.turn(() => seen.push("turn"));
    queueMicrotask(() => seen.push("promise"));
  });
  assert.deepEqual(seen, ["promise", "turn", "timer"]);
});
