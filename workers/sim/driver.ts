import type { Clock } from "@pixii/runtime";

/** Something that takes steps: one rank of a simulated engine. */
export interface Stepper {
  /** When it has to be called again, on the clock; undefined where nothing is to be done. At or before now: at once. */
  readonly dueMs: number | undefined;
  /** Does what is due. Never throws. */
  advance(nowMs: number): void;
}

/**
 * Drives all ranks of a process with one timer, or, where steps follow one another without a pause, with one turn of the
 * event loop for all of them, so that messages come in between. O(busy ranks) a wake-up.
 */
export class Driver {
  readonly #clock: Clock;
  readonly #busy = new Set<Stepper>();
  #armed: Disposable | undefined;
  /** What `#armed` waits for; -Infinity = the next turn. */
  #armedMs = Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A rank has something to do, now or at its `dueMs`. */
  wake(stepper: Stepper): void {
    const { dueMs } = stepper;
    if (dueMs === undefined) return;
    this.#busy.add(stepper);
    this.#arm(dueMs);
  }

  /** A rank is put away; with the last one nothing is waited for. */
  leave(stepper: Stepper): void {
    this.#busy.delete(stepper);
    if (this.#busy.size === 0) this.#disarm();
  }

  #run(): void {
    this.#armed = undefined;
    this.#armedMs = Infinity;
    const nowMs = this.#clock.nowMs();
    let earliestMs = Infinity;
    for (const stepper of this.#busy) {
      stepper.advance(nowMs);
      const { dueMs } = stepper;
      if (dueMs === undefined) this.#busy.delete(stepper);
      else earliestMs = Math.min(earliestMs, dueMs);
    }
    if (earliestMs < Infinity) this.#arm(earliestMs);
  }

  #arm(dueMs: number): void {
    const waitMs = dueMs === -Infinity ? 0 : dueMs - this.#clock.nowMs();
    const armedMs = waitMs > 0 ? dueMs : -Infinity;
    if (armedMs >= this.#armedMs) return;
    this.#disarm();
    this.#armedMs = armedMs;
    const run = () => this.#run();
    this.#armed = waitMs > 0 ? this.#clock.timer(waitMs, run) : this.#clock.turn(run);
  }

  #disarm(): void {
    this.#armed?.[Symbol.dispose]();
    this.#armed = undefined;
    this.#armedMs = Infinity;
  }
}
