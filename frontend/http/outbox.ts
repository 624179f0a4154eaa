import { ByteSlab } from "@pixii/runtime";
import type { Clock } from "@pixii/runtime";
import { SpareBuffers } from "./spare_buffers.ts";

/**
 * A stream's bytes go out at most this often while it is busy; what comes sooner waits for the rest. A write to a
 * socket costs several times what making a chunk costs (measured: 7 us against 1 us), so an engine that steps every
 * millisecond would spend the machine on writes. First bytes, last bytes and streams that were quiet for as long do
 * not wait.
 */
export const sendGapMs = 4;

/** Something with bytes to send. */
export interface Sender {
  /** When it last sent, on the clock's `nowMs`; kept by the outbox. */
  sentMs: number;
  /** Sends what it holds. Called when it has something; must not throw. */
  send(): void;
}

/** Sends for many streams at once: one microtask per step frame and one timer per gap, none per stream or token. */
export class Outbox implements Disposable {
  /** What its senders collect their bytes in. */
  readonly spares: SpareBuffers = new SpareBuffers();
  /** What they send is cut from. */
  readonly chunks: ByteSlab = new ByteSlab();
  readonly #clock: Clock;
  #soon: Sender[] = [];
  #late: Sender[] = [];
  #timer: Disposable | undefined;
  /** The time in this turn of the event loop, once somebody asked. */
  #turnMs: number | undefined;
  readonly #flushSoon = () => this.#sendSoon();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Has `sender` called before this turn's microtasks end, or, where it sent a moment ago, within the gap. */
  add(sender: Sender, isUrgent: boolean): void {
    const nowMs = this.#nowMs();
    if (isUrgent || nowMs - sender.sentMs >= sendGapMs) {
      sender.sentMs = nowMs;
      this.#soon.push(sender);
      return;
    }
    this.#late.push(sender);
    this.#timer ??= this.#clock.timer(sendGapMs, () => this.#sendLate());
  }

  [Symbol.dispose](): void {
    this.#sendLate();
  }

  #nowMs(): number {
    if (this.#turnMs === undefined) {
      this.#turnMs = this.#clock.nowMs();
      queueMicrotask(this.#flushSoon);
    }
    return this.#turnMs;
  }

  #sendSoon(): void {
    this.#turnMs = undefined;
    const senders = this.#soon;
    this.#soon = [];
    for (const sender of senders) sender.send();
  }

  #sendLate(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    const senders = this.#late;
    this.#late = [];
    const nowMs = this.#clock.nowMs();
    for (const sender of senders) {
      sender.sentMs = nowMs;
      sender.send();
    }
  }
}
