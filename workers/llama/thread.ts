/**
 * The llama engine's thread: blocking FFI only, commands by message, one message per step out. It yields to its event
 * loop after every step, so commands are seen within one step.
 */
import { setImmediate } from "node:timers";
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

class EngineThread {
  readonly #clock = systemClock();
  #loop: EngineLoop | undefined;
  #shared: Int32Array = new Int32Array(sharedLayout.bytes / 4);
  #running = false;
  #closing = false;

  receive(message: ToThread): void {
    if (message.op === "open") {
      this.#open(message).catch((error) => this.#fail(error));
      return;
    }
    if (message.op === "close") {
      this.#closing = true;
      if (!this.#running) this.#close();
      return;
    }
    const loop = this.#loop;
    if (loop === undefined) return;
    if (message.op === "submit") this.#submit(loop, message);
    else if (message.op === "cancel") loop.cancel(message.stream);
    else scope.postMessage({ op: "snapshot", id: message.id, ...loop.snapshot() });
    this.#wake();
  }

  #submit(loop: EngineLoop, { request }: Extract<ToThread, { op: "submit" }>): void {
    const error = loop.submit(request);
    if (error === undefined) return;
    // The main isolate checks first; what it could not know ends the stream with the reason.
    const end = { reason: "error" as const, error, outputTokens: request.emitted };
    const output = {
      stream: request.stream,
      firstIndex: request.emitted,
      tokens: [],
      extra: { end },
    };
    const step = loop.snapshot().step;
    scope.postMessage({ op: "step", step, outputs: [output], kvEvents: [], gauges: loop.gauges() });
  }

  async #open(message: OpenMessage): Promise<void> {
    this.#shared = new Int32Array(message.shared);
    const library = await openLibrary();
    if (!library.ok) return scope.postMessage({ op: "refused", error: library.error });
    const opened = EngineLoop.open(library.value, message, () => this.#clock.nowMs());
    if (!opened.ok) return scope.postMessage({ op: "refused", error: opened.error });
    this.#loop = opened.value;
    const { facts, contextLength, cells } = opened.value;
    const libraryVersion = library.value.layout.version;
    scope.postMessage({ op: "opened", facts, contextLength, cells, libraryVersion });
  }

  #wake(): void {
    if (this.#running || this.#loop?.idle !== false) return;
    this.#running = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    const loop = this.#loop!;
    if (this.#closing) return this.#close();
    try {
      Atomics.store(this.#shared, sharedLayout.inStep, 1);
      const step = loop.step();
      Atomics.store(this.#shared, sharedLayout.inStep, 0);
      Atomics.add(this.#shared, sharedLayout.steps, 1);
      scope.postMessage(step);
    } catch (error) {
      return this.#fail(error as Error);
    }
    this.#running = !loop.idle;
    if (this.#running) setImmediate(() => this.#turn());
  }

  #fail(error: Error): void {
    this.#running = false;
    scope.postMessage({ op: "failed", message: error.message });
  }

  #close(): void {
    this.#running = false;
    this.#loop?.[Symbol.dispose]();
    this.#loop = undefined;
    scope.postMessage({ op: "closed" });
    scope.close();
  }
}

const thread = new EngineThread();
scope.onmessage = (event) => thread.receive(event.data);
