import assert from "node:assert/strict";
import { subjects } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import { MemoryHub, recordingLog, VirtualClock } from "@pixii/runtime";
import type { Clock } from "@pixii/runtime";
import { WorkerView } from "./worker_view.ts";

const worker = "0123456789abcdef" as InstanceId;

/** A clock whose time a test moves without running what is due, as a blocked event loop does. */
class StallingClock extends VirtualClock implements Clock {
  #stalledMs = 0;
  stall(ms: number): void {
    this.#stalledMs += ms;
  }
  override nowMs(): number {
    return super.nowMs() + this.#stalledMs;
  }
}

function open() {
  const clock = new StallingClock();
  const log = recordingLog();
  const bus = new MemoryHub({ clock, log }).connect();
  return { clock, bus, view: new WorkerView({ bus, clock, log, allLoad: subjects("t").allLoad }) };
}

Deno.test("a view does not count the time in which its own program stood still", async () => {
  const { clock, view } = open();
  using _ = view;
  view.heard(worker);
  clock.stall(10_000);
  await clock.advance(250);
  assert.equal(view.state(worker), "live");
  await clock.advance(750);
  assert.equal(view.state(worker), "suspect");
});

Deno.test("a view does not count the time without a connection", async () => {
  const { clock, bus, view } = open();
  using _ = view;
  view.heard(worker);
  bus.disconnect();
  await clock.advance(10_000);
  bus.reconnect();
  await clock.advance(1_500);
  assert.equal(view.state(worker), "live");
  await clock.advance(500);
  assert.equal(view.state(worker), "suspect");
});

Deno.test("a view tells its listeners every 250 ms until they are disposed", async () => {
  const { clock, view } = open();
  using _ = view;
  const ticks: number[] = [];
  const listener = view.onTick((nowMs) => ticks.push(nowMs));
  await clock.advance(500);
  listener[Symbol.dispose]();
  await clock.advance(500);
  assert.deepEqual(ticks, [250, 500]);
});
