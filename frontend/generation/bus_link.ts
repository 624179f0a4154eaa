import { limits } from "@pixii/wire";
import type { Bus, Clock } from "@pixii/runtime";

/** After a reconnect others may still be reconnecting: "nobody serves this" is not believed for this long. */
const settleMs = 1_000;

/** The connection as streams see it: an outage may last `limits.reconnectWaitMs`, then it is lost. */
export class BusLink implements Disposable {
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #subscription: Disposable;
  readonly #waiting = new Set<() => void>();
  readonly #onUp: () => void;
  readonly #onLost: () => void;
  #timer: Disposable | undefined;
  #isLost = false;
  #upMs = -Infinity;

  constructor(options: { bus: Bus; clock: Clock; onUp: () => void; onLost: () => void }) {
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.#onUp = options.onUp;
    this.#onLost = options.onLost;
    this.#subscription = options.bus.onStatus((status) => {
      if (status === "connected") this.#connected();
      else this.#disconnected();
    });
    if (options.bus.status === "disconnected") this.#disconnected();
  }

  /** True shortly after a reconnect. */
  get isSettling(): boolean {
    return this.#clock.nowMs() - this.#upMs < settleMs;
  }

  /** Resolves with true once connected, with false when the outage is too long or `signal` aborts. */
  async up(signal: AbortSignal): Promise<boolean> {
    if (this.#bus.status === "disconnected" && !this.#isLost && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          this.#waiting.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        this.#waiting.add(done);
        signal.addEventListener("abort", done, { once: true });
      });
    }
    return this.#bus.status === "connected" && !signal.aborted;
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    this.#timer?.[Symbol.dispose]();
    this.#wake();
  }

  #connected(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#isLost = false;
    this.#upMs = this.#clock.nowMs();
    this.#wake();
    this.#onUp();
  }

  #disconnected(): void {
    this.#timer ??= this.#clock.timer(limits.reconnectWaitMs, () => {
      this.#isLost = true;
      this.#wake();
      this.#onLost();
    });
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}
