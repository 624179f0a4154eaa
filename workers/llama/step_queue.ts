import type { StepBatch } from "../engine.ts";

/** Steps between the thread and their one consumer. Bounded by the engine's pace: the consumer only encodes and publishes. */
export class StepQueue implements AsyncIterable<StepBatch> {
  readonly #steps: StepBatch[] = [];
  #wake: (() => void) | undefined;
  #ended = false;
  #error: Error | undefined;

  /** Adds a step. */
  push(step: StepBatch): void {
    this.#steps.push(step);
    this.#wake?.();
  }

  /** No step follows. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** The engine failed: the consumer gets what is there, then the error. */
  fail(error: Error): void {
    this.#error ??= error;
    this.end();
  }

  /** All steps in order. */
  async *[Symbol.asyncIterator](): AsyncIterator<StepBatch> {
    while (true) {
      const step = this.#steps.shift();
      if (step !== undefined) {
        yield step;
        continue;
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return;
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
  }
}
