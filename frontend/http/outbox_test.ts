import assert from "node:assert/strict";
import { VirtualClock } from "@pixii/runtime";
import { Outbox, sendGapMs } from "./outbox.ts";
import type { Sender } from "./outbox.ts";

class Noting implements Sender {
  sentMs = -Infinity;
  readonly times: number[] = [];
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  send(): void {
    this.times.push(this.#clock.nowMs());
  }
}

Deno.test("add() sends what was quiet within the same turn, and what is busy within the gap", async () => {
  const clock = new VirtualClock();
  using outbox = new Outbox(clock);
  const busy = new Noting(clock);
  outbox.add(busy, false);
  assert.deepEqual(busy.times, []);
  await clock.advance(1);
  assert.deepEqual(busy.times, [0]);
  outbox.add(busy, false);
  await clock.advance(sendGapMs - 1);
  assert.deepEqual(busy.times, [0]);
  await clock.advance(1);
  assert.deepEqual(busy.times, [0, 1 + sendGapMs]);
  await clock.advance(sendGapMs);
  outbox.add(busy, false);
  await clock.advance(0);
  assert.equal(busy.times.length, 3);
});

Deno.test("add() sends what is urgent at once, and one's haste is not another's", async () => {
  const clock = new VirtualClock();
  using outbox = new Outbox(clock);
  const [a, b, c] = [new Noting(clock), new Noting(clock), new Noting(clock)];
  for (const one of [a, b]) outbox.add(one, false);
  await clock.advance(1);
  outbox.add(a, true);
  outbox.add(b, false);
  outbox.add(c, false);
  await clock.advance(0);
  assert.deepEqual([a.times, b.times, c.times], [[0, 1], [0], [1]]);
  await clock.advance(sendGapMs);
  assert.deepEqual(b.times, [0, 1 + sendGapMs]);
});

Deno.test("an outbox has one timer however many wait, and none where nobody does", async () => {
  const clock = new VirtualClock();
  const outbox = new Outbox(clock);
  const senders = Array.from({ length: 100 }, () => new Noting(clock));
  for (let round = 0; round < 3; round++) for (const one of senders) outbox.add(one, false);
  await clock.advance(0);
  for (const one of senders) outbox.add(one, false);
  assert.equal(clock.waiting, 1);
  outbox[Symbol.dispose]();
  assert.equal(clock.waiting, 0);
  assert.ok(senders.every((one) => one.times.length >= 2));
});
