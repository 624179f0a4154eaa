import assert from "node:assert/strict";
import { MemoryHub } from "./bus_memory.ts";
import type { CarriedMessage } from "./bus_memory.ts";
import { VirtualClock } from "./clock_virtual.ts";
import { recordingLog } from "./log_recording.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

/** A hub whose network notes what it carries and does with it what `carry` says. */
function hubWith(clock: VirtualClock, carry: (arrive: () => void) => void) {
  const carried: string[] = [];
  const hub = new MemoryHub({
    ...{ clock, log: recordingLog() },
    network: {
      carry: ({ kind, subject, payload }: CarriedMessage, arrive) => {
        carried.push(`${kind} ${subject} ${payload.join()}`);
        carry(arrive);
      },
    },
  });
  return { hub, carried };
}

Deno.test("MemoryHub gives messages, requests and replies to its network, which may bring them late and twice", async () => {
  const clock = new VirtualClock();
  const { hub, carried } = hubWith(clock, (arrive) => {
    clock.timer(5, arrive);
    clock.timer(7, arrive);
  });
  const [a, b] = [hub.connect(), hub.connect()];
  const seen: number[] = [];
  b.subscribe("x.y", () => seen.push(clock.nowMs()));
  b.serve("ask", () => bytes(9));
  a.publish("x.y", bytes(1, 2));
  const asked = a.request("ask", bytes(3), { timeoutMs: 100 });
  await clock.advance(50);
  assert.deepEqual(seen, [5, 7]);
  assert.deepEqual(await asked, { ok: true, value: bytes(9) });
  assert.deepEqual(carried, ["message x.y 1,2", "request ask 3", "reply ask 9", "reply ask 9"]);
});

Deno.test("MemoryHub: what its network loses is missed by a timeout, on the clock of who asked", async () => {
  const clock = new VirtualClock();
  const { hub } = hubWith(clock, () => {});
  hub.connect().serve("ask", () => bytes(9));
  const asked = hub.connect(clock).request("ask", bytes(3), { timeoutMs: 100 });
  await clock.advance(100);
  const reply = await asked;
  assert.equal(reply.ok ? "ok" : reply.error.code, "timeout");
});

Deno.test("MemoryBus.cut() ends a view as death does: nobody serves, nothing is heard, nobody is told", async () => {
  const clock = new VirtualClock();
  const hub = new MemoryHub({ clock, log: recordingLog() });
  const [a, b] = [hub.connect(), hub.connect()];
  const told: string[] = [];
  b.onStatus((status) => told.push(status));
  b.subscribe("x", () => told.push("message"));
  b.serve("ask", () => bytes(1));
  b.cut();
  a.publish("x", bytes(1));
  const reply = await a.request("ask", bytes(1), { timeoutMs: 100 });
  await clock.advance(10);
  assert.equal(reply.ok ? "ok" : reply.error.code, "no_responders");
  assert.equal(b.publish("x", bytes(1)).ok, false);
  b.reconnect();
  assert.deepEqual([told, b.status], [[], "disconnected"]);
});
