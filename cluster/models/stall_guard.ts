import type { Clock } from "@pixii/runtime";

/** Aborts its signal when nothing happened for a while: a limit on silence, not on the whole. */
export class StallGuard implements Disposable {
  readonly #controller = new AbortController();
  readonly #clock: Clock;
  readonly #ticker: Disposable;
  #limitMs: number;
  #touchedMs: number;
  #stalled = false;
  /** Aborts on silence or with the parent. */
  readonly signal: AbortSignal;

  constructor(clock: Clock, limitMs: number, parent?: AbortSignal) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#touchedMs = clock.nowMs();
    this.signal = parent === undefined
      ? this.#controller.signal
      : AbortSignal.any([parent, this.#controller.signal]);
    this.#ticker = clock.every(Math.max(10, limitMs / 20), () => this.#check());
  }

  /** True once the silence was too long. */
  get stalled(): boolean {
    return this.#stalled;
  }

  /** Something happened; `limitMs` replaces the limit for the silence that follows. */
  touch(limitMs: number = this.#limitMs): void {
    this.#limitMs = limitMs;
    this.#touchedMs = this.#clock.nowMs();
  }

  [Symbol.dispose](): void {
    this.#ticker[Symbol.dispose]();
  }

  #check(): void {
    if (this.#stalled || this.#clock.nowMs() - this.#touchedMs < this.#limitMs) return;
    this.#stalled = true;
    this.#controller.abort(new DOMException(`silent for ${this.#limitMs} ms`, "TimeoutError"));
  }
}
