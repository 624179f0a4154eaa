import { fail, limits, ok } from "@pixii/wire";
import type { Result } from "@pixii/wire";
import type { BusStatus } from "./bus.ts";
import type { Log } from "./log.ts";

/** The status of a connection and those who want to hear of its changes. */
export class StatusSource {
  readonly #log: Log;
  readonly #listeners = new Set<(status: BusStatus) => void>();
  #status: BusStatus = "connected";

  constructor(log: Log) {
    this.#log = log;
  }

  get status(): BusStatus {
    return this.#status;
  }

  /** Sets the status and tells the listeners where it changed. */
  set(status: BusStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    for (const listener of [...this.#listeners]) {
      guarded(this.#log, "status listener", () => listener(status));
    }
  }

  /** Calls `listener` on every change until disposed. */
  listen(listener: (status: BusStatus) => void): Disposable {
    // A wrapper, so that one function may listen twice.
    const own = (status: BusStatus) => listener(status);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => void this.#listeners.delete(own) };
  }
}

/** Runs a callback of somebody else: what it throws is logged and hurts nobody. */
export function guarded(log: Log, what: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    log.error(`${what} threw`, { error });
  }
}

/** `payload_too_large` where a message is over `limits.messageBytes`. */
export function checkPayload(subject: string, payload: Uint8Array): Result<void> {
  if (payload.byteLength <= limits.messageBytes) return sent;
  return fail(
    "payload_too_large",
    `Cannot send to ${subject}: a message holds at most ${limits.messageBytes} bytes, got ${payload.byteLength}; send it in parts`,
  );
}

/** Success without a value: one object, so that a publish allocates none. */
export const sent: Result<void> = ok(undefined);

/** The answer while there is no connection. */
export function busDown(what: string): Result<never> {
  return fail("bus_unavailable", `Cannot ${what}: not connected to the message bus; try again`);
}

/** The answer where nobody serves a subject. */
export function nobodyServes(subject: string): Result<never> {
  return fail("no_responders", `Cannot ask ${subject}: nobody serves it`);
}
