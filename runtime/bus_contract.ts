import { strict as assert } from "node:assert";
import { fail, limits } from "@pixii/wire";
import type { Bus, BusStatus } from "./bus.ts";
import { ReplyFailure } from "./request_handler.ts";
import { eventually } from "./testing/eventually.ts";

/** A bus with its server, as the suite uses it. */
export interface BusWorld extends AsyncDisposable {
  /** A new client. */
  connect(): Promise<Bus>;
  /** The server dies: every client loses its connection. */
  down(): Promise<void>;
  /** The server is back. */
  up(): Promise<void>;
}

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (value: string) => new TextEncoder().encode(value);

/** What every bus must do, run on a real one. */
export function busContract(
  name: string,
  options: { readonly ignore: boolean; open(): Promise<BusWorld> },
): void {
  const test = (what: string, run: (world: BusWorld) => Promise<void>) => {
    Deno.test({
      name: `bus over ${name} ${what}`,
      ignore: options.ignore,
      fn: async () => {
        await using world = await options.open();
        await run(world);
      },
    });
  };

  test("delivers to every subscriber, in order, exactly the bytes", async (world) => {
    await using sender = await world.connect();
    await using receiver = await world.connect();
    const got: string[][] = [[], []];
    receiver.subscribe("a.b", ({ payload }) => got[0].push(text(payload)));
    receiver.subscribe("a.*", ({ payload, subject }) => got[1].push(`${subject} ${text(payload)}`));
    receiver.subscribe("a.c", () => assert.fail("another subject"));
    await receiver.flush();
    for (let i = 0; i < 200; i++) assert.ok(sender.publish("a.b", bytes(`m${i}`)).ok);
    await eventually(() => got[1].length >= 200, () => `${got[0].length} and ${got[1].length}`);
    assert.deepEqual(got[0], Array.from({ length: 200 }, (_, i) => `m${i}`));
    assert.deepEqual(got[1], got[0].map((m) => `a.b ${m}`));
  });

  test("answers requests, also empty ones, many at once", async (world) => {
    await using caller = await world.connect();
    await using server = await world.connect();
    server.serve("echo", (payload) => Promise.resolve(payload));
    await server.flush();
    const results = await Promise.all(
      Array.from(
        { length: 100 },
        (_, i) => caller.request("echo", bytes(i === 0 ? "" : `q${i}`), { timeoutMs: 5_000 }),
      ),
    );
    assert.deepEqual(
      results.map((result) => result.ok && text(result.value)),
      Array.from({ length: 100 }, (_, i) => i === 0 ? "" : `q${i}`),
    );
  });

  test("sends patient messages soon, alone and among others, in their order", async (world) => {
    await using caller = await world.connect();
    await using server = await world.connect();
    const seen: string[] = [];
    server.subscribe("patient", ({ payload }) => void seen.push(text(payload)));
    await server.flush();
    caller.publish("patient", bytes("1"), { isPatient: true });
    await eventually(() => seen.length === 1, () => `${seen}`);
    caller.publish("patient", bytes("2"), { isPatient: true });
    caller.publish("patient", bytes("3"));
    caller.publish("patient", bytes("4"), { isPatient: true });
    await caller.flush();
    await eventually(() => seen.length === 4, () => `${seen}`);
    assert.deepEqual(seen, ["1", "2", "3", "4"]);
  });

  test("takes what a payload holds when it is sent: its buffer may be used again", async (world) => {
    await using caller = await world.connect();
    await using server = await world.connect();
    const seen: string[] = [];
    server.subscribe("reused", ({ payload }) => void seen.push(text(payload)));
    server.serve("reused.asked", (payload) => payload.slice());
    await server.flush();
    const buffer = bytes("first");
    caller.publish("reused", buffer);
    const asked = caller.request("reused.asked", buffer, { timeoutMs: 5_000 });
    buffer.set(bytes("other"));
    caller.publish("reused", buffer);
    buffer.fill(0);
    const answer = await asked;
    assert.equal(answer.ok && text(answer.value), "first");
    await eventually(() => seen.length === 2, () => `${seen}`);
    assert.deepEqual(seen, ["first", "other"]);
  });

  test("says no_responders at once where nobody serves", async (world) => {
    await using caller = await world.connect();
    const startedMs = performance.now();
    const result = await caller.request("nobody.here", bytes("x"), { timeoutMs: 10_000 });
    assert.equal(!result.ok && result.error.code, "no_responders");
    assert.ok(performance.now() - startedMs < 5_000, "it must not wait for the timeout");
  });

  test("ends a request by its timeout and by its signal", async (world) => {
    await using caller = await world.connect();
    await using server = await world.connect();
    server.serve("silent", () => new Promise<Uint8Array>(() => {}));
    await server.flush();
    const late = await caller.request("silent", bytes("x"), { timeoutMs: 30 });
    assert.equal(!late.ok && late.error.code, "timeout");
    const stop = new AbortController();
    const waiting = caller.request("silent", bytes("x"), {
      timeoutMs: 10_000,
      signal: stop.signal,
    });
    stop.abort();
    const given = await waiting;
    assert.equal(!given.ok && given.error.code, "cancelled");
  });

  test("carries a handler's failure and turns a throw into internal", async (world) => {
    await using caller = await world.connect();
    await using server = await world.connect();
    server.serve("refuse", () => {
      throw new ReplyFailure(
        fail("overloaded", "Cannot take it: full", { retryAfterMs: 70 }).error,
      );
    });
    server.serve("broken", () => Promise.reject(new Error("bug")));
    await server.flush();
    const refused = await caller.request("refuse", bytes("x"), { timeoutMs: 5_000 });
    assert.deepEqual(!refused.ok && refused.error, {
      code: "overloaded",
      message: "Cannot take it: full",
      retryAfterMs: 70,
    });
    const broken = await caller.request("broken", bytes("x"), { timeoutMs: 5_000 });
    assert.equal(!broken.ok && broken.error.code, "internal");
  });

  test("gives each message to one member of a queue group", async (world) => {
    await using sender = await world.connect();
    await using first = await world.connect();
    await using second = await world.connect();
    const got: string[] = [];
    const seen = [0, 0];
    for (const [index, bus] of [first, second].entries()) {
      bus.subscribe("work", ({ payload }) => {
        got.push(text(payload));
        seen[index]++;
      }, { queue: "q" });
      bus.serve("who", () => bytes(`${index}`), { queue: "q" });
      await bus.flush();
    }
    for (let i = 0; i < 100; i++) sender.publish("work", bytes(`${i}`));
    await eventually(() => got.length >= 100, () => `${got.length} of 100`);
    await sender.flush();
    assert.deepEqual(
      got.map(Number).sort((a, b) => a - b),
      Array.from({ length: 100 }, (_, i) => i),
    );
    assert.ok(seen[0] > 0 && seen[1] > 0, `both members work, got ${seen}`);
    const answer = await sender.request("who", bytes(""), { timeoutMs: 5_000 });
    assert.ok(answer.ok && ["0", "1"].includes(text(answer.value)));
  });

  test("stops delivering when a subscription is disposed", async (world) => {
    await using sender = await world.connect();
    await using receiver = await world.connect();
    const got: string[] = [];
    const kept: string[] = [];
    const subscription = receiver.subscribe("s", ({ payload }) => got.push(text(payload)));
    receiver.subscribe("s", ({ payload }) => kept.push(text(payload)));
    await receiver.flush();
    sender.publish("s", bytes("1"));
    await eventually(() => got.length === 1, () => `got ${got}`);
    subscription[Symbol.dispose]();
    subscription[Symbol.dispose]();
    await receiver.flush();
    sender.publish("s", bytes("2"));
    await eventually(() => kept.length === 2, () => `kept ${kept}`);
    assert.deepEqual(got, ["1"]);
  });

  test("carries the largest message and refuses a larger one", async (world) => {
    await using caller = await world.connect();
    await using server = await world.connect();
    server.serve("echo", (payload) => payload);
    await server.flush();
    const largest = new Uint8Array(limits.messageBytes).fill(7);
    const echoed = await caller.request("echo", largest, { timeoutMs: 10_000 });
    assert.ok(echoed.ok && echoed.value.length === largest.length && echoed.value.at(-1) === 7);
    const over = new Uint8Array(limits.messageBytes + 1);
    const published = caller.publish("echo", over);
    assert.equal(!published.ok && published.error.code, "payload_too_large");
    const asked = await caller.request("echo", over, { timeoutMs: 1_000 });
    assert.equal(!asked.ok && asked.error.code, "payload_too_large");
  });

  test("goes on after a subscriber that throws", async (world) => {
    await using sender = await world.connect();
    await using receiver = await world.connect();
    let count = 0;
    receiver.subscribe("t", () => {
      count++;
      throw new Error("bug of a subscriber");
    });
    await receiver.flush();
    sender.publish("t", bytes("1"));
    sender.publish("t", bytes("2"));
    await eventually(() => count === 2, () => `${count} of 2`);
  });

  test("fails at once while disconnected, buffers nothing, and comes back by itself", async (world) => {
    await using caller = await world.connect();
    await using server = await world.connect();
    const got: string[] = [];
    server.subscribe("news", ({ payload }) => got.push(text(payload)));
    server.serve("hang", () => new Promise<Uint8Array>(() => {}));
    server.serve("echo", (payload) => payload);
    await server.flush();
    const changes: BusStatus[] = [];
    using _listener = caller.onStatus((status) => changes.push(status));
    const waiting = caller.request("hang", bytes("x"), { timeoutMs: 60_000 });
    await caller.flush();
    await world.down();
    const lost = await waiting;
    assert.equal(!lost.ok && lost.error.code, "bus_unavailable");
    assert.equal(caller.status, "disconnected");
    const startedMs = performance.now();
    const published = caller.publish("news", bytes("while down"));
    assert.equal(!published.ok && published.error.code, "bus_unavailable");
    const asked = await caller.request("echo", bytes("x"), { timeoutMs: 10_000 });
    assert.equal(!asked.ok && asked.error.code, "bus_unavailable");
    const flushed = await caller.flush();
    assert.equal(!flushed.ok && flushed.error.code, "bus_unavailable");
    assert.ok(performance.now() - startedMs < 1_000, "it must not wait");
    await world.up();
    const upMs = performance.now();
    await eventually(
      () => caller.status === "connected" && server.status === "connected",
      () => `${caller.status} and ${server.status}`,
    );
    assert.ok(performance.now() - upMs < 2_000, "recovered within 2 s");
    await server.flush();
    assert.ok(caller.publish("news", bytes("after")).ok);
    const echoed = await caller.request("echo", bytes("y"), { timeoutMs: 5_000 });
    assert.ok(echoed.ok);
    await eventually(() => got.length > 0, () => "no news");
    assert.deepEqual(got, ["after"]);
    assert.deepEqual(changes, ["disconnected", "connected"]);
  });
}
