import process from "node:process";
import { setImmediate } from "node:timers";
import type { Clock } from "./clock.ts";
import { checkPeriod, deadlineOn, sleepOn } from "./clock_system.ts";

/** A closed clock lets the event loop turn after so many timers all the same: signals are heard, memory is given back. */
const timersPerTurn = 256;

/** `wallMs()` of a virtual clock at its start: 2026-01-01T00:00:00Z. */
export const virtualEpochMs = 1_767_225_600_000;

interface VirtualTimer {
  readonly dueMs: number;
  /** Creation number: timers due at one time run in the order they were made. */
  readonly order: number;
  readonly callback: () => void;
  live: boolean;
}

/**
 * A clock that moves only when told: the same program under the same steps does the same things in the same order.
 * Time starts at 0. Work that leaves the event loop (sockets, files, threads) is not waited for.
 */
export class VirtualClock implements Clock {
  #nowMs = 0;
  #made = 0;
  #live = 0;
  #advancing = false;
  readonly #heap: VirtualTimer[] = [];
  readonly #afterStep: (() => void) | undefined;
  readonly #isClosed: boolean;

  /**
   * `afterStep` is called after every timer, once all promises have settled; what it throws ends `advance`. `isClosed`:
   * nothing under this clock leaves the event loop, so promises settle without a turn of that, at a tenth of the cost.
   */
  constructor(options: { readonly afterStep?: () => void; readonly isClosed?: boolean } = {}) {
    this.#afterStep = options.afterStep;
    this.#isClosed = options.isClosed ?? false;
  }

  /** Timers that wait, disposed ones left out. */
  get waiting(): number {
    return this.#live;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return virtualEpochMs + Math.floor(this.#nowMs);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  turn(callback: () => void): Disposable {
    return this.#add(this.#nowMs, callback);
  }

  timer(ms: number, callback: () => void): Disposable {
    return this.#add(this.#nowMs + Math.max(0, ms), callback);
  }

  every(ms: number, callback: () => void): Disposable {
    checkPeriod(ms);
    let dueMs = this.#nowMs;
    let disposed = false;
    let timer: Disposable;
    const arm = () => {
      dueMs += ms;
      timer = this.#add(dueMs, () => {
        callback();
        if (!disposed) arm();
      });
    };
    arm();
    return {
      [Symbol.dispose]: () => {
        disposed = true;
        timer[Symbol.dispose]();
      },
    };
  }

  deadline(ms: number): { readonly signal: AbortSignal } & Disposable {
    return deadlineOn(this, ms);
  }

  /**
   * Moves time on by `ms`, running due timers in the order (time, creation) and letting all promises settle before,
   * between and after them. Rejects with what a callback throws. Not to be called while another call runs.
   */
  async advance(ms: number): Promise<void> {
    if (this.#advancing) throw new Error("Cannot advance the clock: another advance is running");
    if (!(ms >= 0)) throw new RangeError(`Cannot advance the clock: must be >= 0 ms, got ${ms}`);
    this.#advancing = true;
    try {
      const endMs = this.#nowMs + ms;
      await settle();
      let fired = 0;
      for (let next = this.#takeDue(endMs); next !== undefined; next = this.#takeDue(endMs)) {
        this.#nowMs = Math.max(this.#nowMs, next.dueMs);
        next.callback();
        await (this.#isClosed && ++fired % timersPerTurn > 0 ? settleInside() : settle());
        this.#afterStep?.();
      }
      this.#nowMs = endMs;
    } finally {
      this.#advancing = false;
    }
  }

  #add(dueMs: number, callback: () => void): Disposable {
    const timer: VirtualTimer = { dueMs, order: this.#made++, callback, live: true };
    this.#live++;
    push(this.#heap, timer);
    return {
      [Symbol.dispose]: () => {
        if (timer.live) this.#live--;
        timer.live = false;
      },
    };
  }

  #takeDue(endMs: number): VirtualTimer | undefined {
    while (this.#heap.length > 0 && (!this.#heap[0].live || this.#heap[0].dueMs <= endMs)) {
      const timer = pop(this.#heap);
      if (!timer.live) continue;
      timer.live = false;
      this.#live--;
      return timer;
    }
    return undefined;
  }
}

/** One turn of the event loop: every promise that can settle by itself has settled afterwards. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A tick comes once no promise is left that can settle by itself, before the event loop goes on. */
function settleInside(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

function isBefore(a: VirtualTimer, b: VirtualTimer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}

function push(heap: VirtualTimer[], timer: VirtualTimer): void {
  let at = heap.push(timer) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!isBefore(timer, heap[parent])) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = timer;
}

function pop(heap: VirtualTimer[]): VirtualTimer {
  const top = heap[0];
  const last = heap.pop()!;
  if (heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
    if (!isBefore(heap[child], last)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = last;
  return top;
}
