import type { Clock } from "@pixii/runtime";

/** One that waits. */
interface Waiting {
  readonly dueMs: number;
  readonly onDue: () => void;
}

/**
 * Deadlines that are all equally long, so that they come due in the order they were made: one timer for the oldest
 * serves all, and one that is dropped in time costs no timer at all. O(1) to add and to drop.
 */
export class DueList implements Disposable {
  readonly #clock: Clock;
  readonly #afterMs: number;
  /** In order of their due times. */
  readonly #waiting = new Set<Waiting>();
  #timer: Disposable | undefined;

  constructor(clock: Clock, afterMs: number) {
    this.#clock = clock;
    this.#afterMs = afterMs;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Calls `onDue` once when the time is up, unless dropped before. `onDue` must not throw. */
  add(onDue: () => void): Disposable {
    const waiting: Waiting = { dueMs: this.#clock.nowMs() + this.#afterMs, onDue };
    this.#waiting.add(waiting);
    this.#timer ??= this.#clock.timer(this.#afterMs, () => this.#sweep());
    return { [Symbol.dispose]: () => void this.#waiting.delete(waiting) };
  }

  /** Forgets all. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#waiting.clear();
  }

  #sweep(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.nowMs();
    for (const waiting of this.#waiting) {
      if (waiting.dueMs > nowMs) {
        this.#timer = this.#clock.timer(waiting.dueMs - nowMs, () => this.#sweep());
        return;
      }
      this.#waiting.delete(waiting);
      waiting.onDue();
    }
  }
}
