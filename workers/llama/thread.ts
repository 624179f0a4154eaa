/**
 * The llama engine's thread: blocking FFI only, commands by message, one message per step out. It yields to its event
 * loop after every step. `setImmediate` costs nothing, but while one follows another Deno looks for messages only every
 * thirty turns or so (a prompt that came while others decoded waited for up to 28 steps); so where the shared count says
 * that one is on its way, the thread sleeps for a timer of 0 instead, and the command is seen within one step.
 */
import { setImmediate } from "node:timers";
import { fail } from "@pixii/wire";
import { systemClock } from "@pixii/runtime";
import { EngineLoop } from "./engine_loop.ts";
import { openLibrary } from "./library.ts";
import { sharedLayout } from "./thread_messages.ts";
import type { FromThread, OpenMessage, ToThread } from "./thread_messages.ts";

const scope = self as unknown as {
  onmessage: (event: { data: ToThread }) => void;
  postMessage(message: FromThread): void;
  close(): void;
};

/** How long a step that waits for slots is put off, unless they come. */
const pauseMs = 2;

type StepMessage = Extract<FromThread, { op: "step" }>;

class EngineThread {
  readonly #clock = systemClock();
  #loop: EngineLoop | undefined;
  #shared: Int32Array = new Int32Array(sharedLayout.bytes / 4);
  #running = false;
  #closing = false;
  /** Messages seen after the one that opens it, as the shared count has them. */
  #received = 0;
  #pause: Disposable | undefined;

  receive(message: ToThread): void {
    if (message.op === "open") {
      this.#open(message).catch((error) => this.#fail(error));
      return;
    }
    this.#received = (this.#received + 1) | 0;
    if (message.op === "close") {
      this.#closing = true;
      if (!this.#running) this.#close();
      else this.#resume();
      return;
    }
    const loop = this.#loop;
    if (loop === undefined) return;
    this.#tell(loop, message);
    this.#resume();
    this.#wake();
  }

  #tell(loop: EngineLoop, message: Exclude<ToThread, { op: "open" | "close" }>): void {
    switch (message.op) {
      case "submit":
        return loop.submit(message.request, message.host);
      case "cancel":
        return loop.cancel(message.stream);
      case "snapshot":
        return this.#snapshot(loop, message.id);
      case "pool":
        return loop.openPool(message.pool, message.kind);
      case "pool-lost":
        loop.closePool(message.generation);
        return scope.postMessage({ op: "pool-left", generation: message.generation });
      case "slots":
        return loop.grant(message.granted);
      case "landed":
        return loop.landed(message.generation, message.landings);
      case "gone":
        return loop.goneFromHost(message.generation, message.slots);
      case "unload":
        loop.unload();
        return this.#wake();
    }
  }

  /** What a cancel has changed since the last step goes first, so that the snapshot is true after the step it names. */
  #snapshot(loop: EngineLoop, id: number): void {
    const changes = loop.flush();
    if (changes !== undefined) this.#post(changes);
    scope.postMessage({ op: "snapshot", id, ...loop.snapshot() });
  }

  #post(step: StepMessage): void {
    Atomics.store(this.#shared, sharedLayout.steps, step.step);
    scope.postMessage(step);
  }

  async #open(message: OpenMessage): Promise<void> {
    this.#shared = new Int32Array(message.shared);
    const library = await openLibrary();
    if (!library.ok) return scope.postMessage({ op: "refused", error: library.error });
    const opened = EngineLoop.open(library.value, message, () => this.#clock.nowMs());
    if (!opened.ok) return scope.postMessage({ op: "refused", error: opened.error });
    this.#loop = opened.value;
    const { facts, contextLength, cells, shape } = opened.value;
    const libraryVersion = library.value.layout.version;
    scope.postMessage({ op: "opened", facts, contextLength, cells, libraryVersion, shape });
  }

  #wake(): void {
    if (this.#running || this.#loop?.idle !== false) return;
    this.#running = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    const loop = this.#loop!;
    // The abort byte is set before the message that asks to close is sent: no step may begin after it.
    if (this.#closing || Atomics.load(this.#shared, sharedLayout.abortByte) !== 0) {
      return this.#close();
    }
    try {
      Atomics.store(this.#shared, sharedLayout.inStep, 1);
      const step = loop.step();
      // Before the step is told, so that whoever hears of it does not take the engine for busy.
      Atomics.store(this.#shared, sharedLayout.inStep, 0);
      this.#post(step);
    } catch (error) {
      return this.#fail(error as Error);
    }
    this.#running = !loop.idle;
    if (!this.#running) return;
    if (loop.isWaiting) this.#pause = this.#clock.timer(pauseMs, () => this.#resume());
    else this.#yield();
  }

  /** The next step, after the messages that are on their way. */
  #yield(): void {
    const posted = Atomics.load(this.#shared, sharedLayout.posted);
    if (posted === this.#received) setImmediate(() => this.#turn());
    else this.#clock.timer(0, () => this.#turn());
  }

  /** Ends a wait for slots of the host tier. */
  #resume(): void {
    if (this.#pause === undefined) return;
    this.#pause[Symbol.dispose]();
    this.#pause = undefined;
    setImmediate(() => this.#turn());
  }

  #fail(error: Error): void {
    this.#running = false;
    this.#loop = undefined;
    Atomics.store(this.#shared, sharedLayout.inStep, 0);
    scope.postMessage({ op: "failed", message: error.message });
  }

  /** Streams that still live end with `draining`, then context and model are freed. */
  #close(): void {
    this.#running = false;
    const loop = this.#loop;
    this.#loop = undefined;
    if (loop !== undefined) {
      this.#post(loop.failAll(closing().error));
      loop[Symbol.dispose]();
    }
    scope.postMessage({ op: "closed" });
    scope.close();
  }
}

function closing() {
  return fail("draining", "Cannot finish the stream: the engine is shutting down; try elsewhere");
}

const thread = new EngineThread();
scope.onmessage = (event) => thread.receive(event.data);
