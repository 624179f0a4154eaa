import assert from "node:assert/strict";
import { recordingLog, VirtualClock } from "@pixii/runtime";
import { type Child, type ChildEnd, Supervisor, type SupervisorOptions } from "./supervisor.ts";

class FakeChild implements Child {
  readonly #end = Promise.withResolvers<ChildEnd>();
  readonly signals: string[] = [];
  readonly pid: number;
  readonly #obeys: boolean;

  constructor(pid: number, obeys = true) {
    this.pid = pid;
    this.#obeys = obeys;
  }

  get ended() {
    return this.#end.promise;
  }

  die(code = 1, signal: string | null = null) {
    this.#end.resolve({ code, signal });
  }

  signal(name: "SIGTERM" | "SIGKILL") {
    this.signals.push(name);
    if (name === "SIGKILL") this.die(137, name);
    else if (this.#obeys) this.die(0);
  }
}

function stage(obeys = true, more: Partial<SupervisorOptions> = {}) {
  const clock = new VirtualClock();
  const children: FakeChild[] = [];
  const startsMs: number[] = [];
  const supervisor = new Supervisor({
    name: "worker",
    clock,
    log: recordingLog(),
    spawn: () => {
      startsMs.push(clock.nowMs());
      children.push(new FakeChild(100 + children.length, obeys));
      return children.at(-1)!;
    },
    ...more,
  });
  supervisor.start();
  return { clock, children, startsMs, supervisor };
}

Deno.test("Supervisor starts a child that dies again after a wait that doubles up to 5 s", async () => {
  const { clock, children, startsMs, supervisor } = stage();
  for (let i = 0; i < 9; i++) {
    children.at(-1)!.die();
    await clock.advance(5_000);
  }
  const waits = startsMs.slice(1).map((ms, at) => ms - at * 5_000);
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  assert.equal(supervisor.restarts, 9);
  assert.equal(supervisor.pid, 109);
});

Deno.test("Supervisor forgets the wait after a child was stable", async () => {
  const { clock, children, startsMs } = stage();
  for (let i = 0; i < 4; i++) {
    children.at(-1)!.die();
    await clock.advance(5_000);
  }
  await clock.advance(10_000);
  children.at(-1)!.die(0, "SIGKILL");
  const diedMs = clock.nowMs();
  await clock.advance(1_000);
  assert.equal(startsMs.at(-1), diedMs + 100);
});

Deno.test("Supervisor stops a child by SIGTERM and starts none after it", async () => {
  const { clock, children, supervisor } = stage();
  await supervisor.stop(1_000);
  await clock.advance(60_000);
  assert.deepEqual(children.map((child) => child.signals), [["SIGTERM"]]);
  assert.equal(clock.waiting, 0);
});

Deno.test("Supervisor kills a child that does not end in time", async () => {
  const { clock, children, supervisor } = stage(false);
  const stopped = supervisor.stop(1_000);
  await clock.advance(999);
  assert.deepEqual(children[0].signals, ["SIGTERM"]);
  await clock.advance(1);
  await stopped;
  assert.deepEqual(children[0].signals, ["SIGTERM", "SIGKILL"]);
});

Deno.test("Supervisor kills at once when hurried", async () => {
  const { children, supervisor } = stage(false);
  const hurry = new AbortController();
  const stopped = supervisor.stop(60_000, hurry.signal);
  hurry.abort();
  await stopped;
  assert.deepEqual(children[0].signals, ["SIGTERM", "SIGKILL"]);
});

Deno.test("Supervisor that stops a child asks it once, however often it is told to", async () => {
  const { clock, children, supervisor } = stage(false);
  const first = supervisor.stop(60_000);
  const hurry = new AbortController();
  const second = supervisor.stop(60_000, hurry.signal);
  assert.deepEqual(children[0].signals, ["SIGTERM"]);
  hurry.abort();
  await Promise.all([first, second]);
  assert.deepEqual(children[0].signals, ["SIGTERM", "SIGKILL"]);
  assert.equal(clock.waiting, 0);
});

Deno.test("Supervisor gives a child up after so many short runs in a row; a stable one begins anew", async () => {
  let gaveUp = 0;
  const { clock, children, supervisor } = stage(true, {
    mostShortRuns: 3,
    onGiveUp: () => gaveUp += 1,
  });
  for (let i = 0; i < 2; i++) {
    children.at(-1)!.die();
    await clock.advance(5_000);
  }
  await clock.advance(10_000);
  children.at(-1)!.die();
  await clock.advance(5_000);
  assert.deepEqual([children.length, gaveUp], [4, 0]);
  for (let i = 0; i < 5; i++) {
    children.at(-1)!.die();
    await clock.advance(5_000);
  }
  assert.deepEqual([children.length, gaveUp, clock.waiting], [6, 1, 0]);
  await supervisor.stop(1_000);
});

Deno.test("Supervisor stops while it waits to start again", async () => {
  const { clock, children, supervisor } = stage();
  children[0].die();
  await clock.advance(50);
  assert.equal(supervisor.pid, undefined);
  await supervisor.stop(1_000);
  await clock.advance(60_000);
  assert.equal(children.length, 1);
});

Deno.test("Supervisor goes on where a start fails", async () => {
  const clock = new VirtualClock();
  const children: FakeChild[] = [];
  let failing = false;
  const supervisor = new Supervisor({
    name: "worker",
    clock,
    log: recordingLog(),
    spawn: () => {
      if (failing) throw new Error("no memory");
      children.push(new FakeChild(1));
      return children.at(-1)!;
    },
  });
  supervisor.start();
  failing = true;
  children[0].die();
  await clock.advance(1_000);
  assert.equal(children.length, 1);
  failing = false;
  await clock.advance(1_000);
  assert.equal(children.length, 2);
  await supervisor.stop(0);
});
