import assert from "node:assert/strict";
import { recordingLog, systemClock, VirtualClock } from "@pixii/runtime";
import type { Clock, LoggedLine, Thread, Threads } from "@pixii/runtime";
import type { EngineRequest, StepBatch } from "../engine.ts";
import { greedySampling } from "../stream_collector_testing.ts";
import { bundledModel } from "../testing/models.ts";
import { openLlamaEngine } from "./open_engine.ts";
import { llamaOptions } from "./open_testing.ts";
import type { FromThread, ToThread } from "./thread_messages.ts";

/** A thread whose engine does what a test says. */
class ScriptedThread implements Thread {
  readonly posted: ToThread[] = [];
  readonly #onMessage: ((message: unknown) => void)[] = [];
  readonly #onError: ((error: Error) => void)[] = [];
  disposed = false;
  /** What follows on a message. */
  react: (message: ToThread) => void = () => {};

  post(message: unknown): void {
    this.posted.push(message as ToThread);
    queueMicrotask(() => this.react(message as ToThread));
  }

  onMessage(handler: (message: unknown) => void): void {
    this.#onMessage.push(handler);
  }

  onError(handler: (error: Error) => void): void {
    this.#onError.push(handler);
  }

  say(message: FromThread): void {
    for (const handler of this.#onMessage) handler(message);
  }

  die(error: Error): void {
    for (const handler of this.#onError) handler(error);
  }

  [Symbol.dispose](): void {
    this.disposed = true;
  }
}

const facts = { vocabSize: 659, trainedContext: 2048, endTokenIds: [0, 2], slidingWindow: 0 };
const opened: FromThread = {
  op: "opened",
  facts,
  contextLength: 1024,
  cells: 1024,
  libraryVersion: "0.5.0",
  shape: undefined,
};

async function openScripted(
  options: { clock?: Clock; lines?: LoggedLine[]; first?: FromThread } = {},
) {
  const thread = new ScriptedThread();
  thread.react = (message) => {
    if (message.op === "open") thread.say(options.first ?? opened);
  };
  const threadsPort: Threads = { start: () => thread };
  const engine = await openLlamaEngine(llamaOptions(bundledModel("micro.gguf"), {
    threadsPort,
    clock: options.clock ?? systemClock(),
    log: recordingLog("llama", options.lines ?? []),
  }));
  return { engine, thread };
}

async function openWell(options: { clock?: Clock; lines?: LoggedLine[] } = {}) {
  const { engine, thread } = await openScripted(options);
  assert.ok(engine.ok, JSON.stringify(engine));
  return { engine: engine.value, thread };
}

function request(stream: number): EngineRequest {
  return {
    stream,
    key: { requestId: "0".repeat(32) as EngineRequest["key"]["requestId"], attempt: 0, leg: 0 },
    tokens: Uint32Array.of(5, 6, 7),
    emitted: 0,
    choice: 0,
    sampling: greedySampling,
    stop: { maxTokens: 4, minTokens: 0, stopTokenIds: [], ignoreEos: true },
    tenantSalt: "",
    adapter: "",
    priority: 0,
  };
}

function step(number: number): FromThread {
  const gauges = {
    submits: 1,
    running: 1,
    waiting: 0,
    prefillTokens: 0,
    activeBlocks: 0,
    cachedBlocks: 0,
    prefillRate: 1,
    decodeRate: 1,
  };
  return { op: "step", step: number, outputs: [], kvEvents: [], gauges };
}

for (const how of ["says that it failed", "dies"] as const) {
  Deno.test(`a thread that ${how} ends the steps with its error and takes nothing more`, async () => {
    const { engine, thread } = await openWell();
    assert.ok(engine.submit(request(1)).ok);
    const seen: number[] = [];
    const steps = (async () => {
      for await (const batch of engine.steps()) seen.push((batch as StepBatch).step);
    })();
    const drained = engine.drain(new AbortController().signal);
    const snapshot = engine.snapshot();
    thread.say(step(1));
    if (how === "dies") thread.die(new Error("llama_decode failed 4 times"));
    else thread.say({ op: "failed", message: "llama_decode failed 4 times" });
    await assert.rejects(steps, /llama_decode failed 4 times/);
    assert.deepEqual(seen, [1], "what was made before is heard first");
    await drained;
    for (const taken of [await snapshot, await engine.snapshot()]) {
      assert.ok(!taken.ok && taken.error.code === "engine_failed", JSON.stringify(taken));
    }
    const refused = engine.submit(request(2));
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, "engine_failed");
    await engine.drain(new AbortController().signal);
    engine.cancel(1);
    await engine[Symbol.asyncDispose]();
    assert.ok(thread.disposed);
    assert.deepEqual(thread.posted.map((message) => message.op), ["open", "submit", "snapshot"]);
  });
}

Deno.test("a thread that fails while it opens is a refusal, and is let go", async () => {
  for (
    const first of [
      { op: "failed", message: "no such symbol" },
      {
        op: "refused",
        error: { code: "internal", message: "Cannot use llama.cpp: no such symbol" },
      },
    ] as const
  ) {
    const { engine, thread } = await openScripted({ first });
    assert.ok(!engine.ok);
    assert.match(engine.error.message, /^Cannot .*no such symbol/);
    assert.ok(thread.disposed);
  }
});

Deno.test("an engine that does not close in time is given up, and its steps end", async () => {
  const clock = new VirtualClock();
  const lines: LoggedLine[] = [];
  const { engine, thread } = await openWell({ clock, lines });
  const ended = (async () => {
    for await (const _batch of engine.steps());
  })();
  const closed = engine[Symbol.asyncDispose]();
  assert.ok(!thread.disposed);
  await clock.advance(5_001);
  await closed;
  await ended;
  assert.ok(thread.disposed);
  assert.ok(lines.some((line) => /did not close in time/.test(line.message)));
});

Deno.test("closing sets the abort byte first, then asks, then waits for the answer", async () => {
  const { engine, thread } = await openWell();
  const [open] = thread.posted;
  assert.ok(open.op === "open");
  const abort = new Uint8Array(open.shared, 0, 1);
  assert.equal(abort[0], 0);
  const react = thread.react;
  thread.react = (message) => {
    react(message);
    if (message.op !== "close") return;
    assert.equal(abort[0], 1);
    thread.say({ op: "closed" });
  };
  await Promise.all([engine[Symbol.asyncDispose](), engine[Symbol.asyncDispose]()]);
  assert.deepEqual(thread.posted.map((message) => message.op), ["open", "close"]);
  assert.ok(thread.disposed);
});

Deno.test("a snapshot that is not answered in time is an error, not a wait for ever", async () => {
  const clock = new VirtualClock();
  const { engine } = await openWell({ clock });
  const snapshot = engine.snapshot();
  await clock.advance(30_001);
  const taken = await snapshot;
  assert.ok(!taken.ok && taken.error.code === "timeout", JSON.stringify(taken));
});
