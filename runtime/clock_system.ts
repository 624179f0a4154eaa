import { clearImmediate, setImmediate } from "node:timers";
import type { Clock } from "./clock.ts";
import { TimerGroups } from "./timer_groups.ts";
import type { NativeTimer } from "./timer_groups.ts";

/** Longest delay one native timer takes; longer waits are armed again. */
const longestTimerMs = 2_147_483_647;
/** Waits at least this long share native timers. */
const sharedMs = 50;

/** The machine's clock. Waits below 1 ms are rounded up by the runtime; timers keep the program alive until disposed. */
export function systemClock(): Clock {
  return new SystemClock();
}

class SystemClock implements Clock {
  readonly #long = new TimerGroups({
    nowMs: () => performance.now(),
    set: (ms, callback) => nativeTimer(ms, callback),
  });

  nowMs(): number {
    return performance.now();
  }

  wallMs(): number {
    return Date.now();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, ms, signal);
  }

  turn(callback: () => void): Disposable {
    const id = setImmediate(callback);
    return { [Symbol.dispose]: () => clearImmediate(id) };
  }

  timer(ms: number, callback: () => void): Disposable {
    return ms < sharedMs ? nativeTimer(ms, callback) : this.#long.add(ms, callback);
  }

  every(ms: number, callback: () => void): Disposable {
    checkPeriod(ms);
    const id = setInterval(callback, ms);
    return { [Symbol.dispose]: () => clearInterval(id) };
  }

  deadline(ms: number): { readonly signal: AbortSignal } & Disposable {
    return deadlineOn(this, ms);
  }
}

function nativeTimer(ms: number, callback: () => void): NativeTimer {
  let left = Math.max(0, ms);
  let isKept = true;
  let id: ReturnType<typeof setTimeout> | undefined;
  const arm = () => {
    const step = Math.min(left, longestTimerMs);
    id = setTimeout(() => {
      left -= step;
      if (left > 0) return arm();
      id = undefined;
      callback();
    }, step);
    if (!isKept) Deno.unrefTimer(id);
  };
  arm();
  return {
    keep: (asked) => {
      isKept = asked;
      if (id === undefined) return;
      if (asked) Deno.refTimer(id);
      else Deno.unrefTimer(id);
    },
    [Symbol.dispose]: () => clearTimeout(id),
  };
}

/** `Clock.sleep` in terms of `Clock.timer`: rejects with the signal's reason, leaves no timer and no listener behind. */
export function sleepOn(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      timer[Symbol.dispose]();
      reject(signal!.reason);
    };
    const timer = clock.timer(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** `Clock.deadline` in terms of `Clock.timer`. */
export function deadlineOn(
  clock: Clock,
  ms: number,
): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const timer = clock.timer(ms, () => {
    controller.abort(new DOMException(`Deadline of ${ms} ms passed`, "TimeoutError"));
  });
  return { signal: controller.signal, [Symbol.dispose]: () => timer[Symbol.dispose]() };
}

/** Throws unless `ms` can be a period: a period of 0 would never let virtual time move on. */
export function checkPeriod(ms: number): void {
  if (!(ms > 0)) {
    throw new RangeError(`Cannot repeat a timer: the period must be > 0 ms, got ${ms}`);
  }
}
