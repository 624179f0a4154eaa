import { ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { Engine, EngineCard, EngineLoad, EngineRequest, StepBatch } from "./engine.ts";
import { StepQueue } from "./llama/step_queue.ts";
import { card } from "./publish_testing.ts";

/** An engine that does what a test says. */
export class ScriptedEngine implements Engine {
  readonly requests: EngineRequest[] = [];
  readonly cancelled: number[] = [];
  readonly #queue = new StepQueue();
  #step = 0;
  stepAgeMs = 0;

  card(): EngineCard {
    return card;
  }

  artifact(): Uint8Array {
    return new Uint8Array();
  }

  submit(request: EngineRequest): Result<void> {
    this.requests.push(request);
    return ok(undefined);
  }

  cancel(stream: number): void {
    this.cancelled.push(stream);
  }

  steps(): AsyncIterable<StepBatch> {
    return this.#queue;
  }

  /** One step with these outputs. */
  say(outputs: StepBatch["outputs"]): void {
    this.#queue.push({ step: ++this.#step, outputs, kvEvents: [] });
  }

  /** It breaks. */
  fail(error: Error): void {
    this.#queue.fail(error);
  }

  load(): EngineLoad {
    return {
      running: this.requests.length,
      waiting: 0,
      prefillTokens: 0,
      activeBlocks: 0,
      cachedBlocks: 0,
      totalBlocks: 100,
      stepCount: this.#step,
      stepAgeMs: this.stepAgeMs,
      prefillRate: 0,
      decodeRate: 0,
    };
  }

  snapshot(): ReturnType<Engine["snapshot"]> {
    return Promise.resolve(ok({ step: this.#step, kvEvents: [] }));
  }

  drain(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#queue.end();
    return Promise.resolve();
  }
}
