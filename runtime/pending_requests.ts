import { ChurnMap, fail } from "@pixii/wire";
import type { ErrorCode, Result } from "@pixii/wire";
import type { RequestOptions } from "./bus.ts";
import type { Clock } from "./clock.ts";

interface Pending {
  readonly subject: string;
  settle(result: Result<Uint8Array>): void;
}

/** Requests of one bus that wait for their reply: each ends once, by a reply, its timeout, its signal or a lost connection. */
export class PendingRequests {
  readonly #clock: Clock;
  readonly #waiting = new ChurnMap<number, Pending>();
  #made = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Starts waiting; `send` gets the number under which `settle` ends it, and its failure ends it at once. */
  start(
    subject: string,
    options: RequestOptions,
    send: (id: number) => Result<void>,
  ): Promise<Result<Uint8Array>> {
    const { timeoutMs, signal } = options;
    if (signal?.aborted) return Promise.resolve(gaveUp(subject));
    const id = this.#made = (this.#made + 1) >>> 0;
    return new Promise((resolve) => {
      const settle = (result: Result<Uint8Array>) => {
        this.#waiting.delete(id);
        timer[Symbol.dispose]();
        signal?.removeEventListener("abort", onAbort);
        resolve(result);
      };
      const onAbort = () => settle(gaveUp(subject));
      const timer = this.#clock.timer(timeoutMs, () => settle(tooLate(subject, timeoutMs)));
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.set(id, { subject, settle });
      const sent = send(id);
      if (!sent.ok) settle(sent);
    });
  }

  /** True while request `id` waits. */
  has(id: number): boolean {
    return this.#waiting.has(id);
  }

  /** What request `id` asked; "a request" where it has ended. */
  subjectOf(id: number): string {
    return this.#waiting.get(id)?.subject ?? "a request";
  }

  /** Ends request `id`; one that has ended already is left alone. */
  settle(id: number, result: Result<Uint8Array>): void {
    this.#waiting.get(id)?.settle(result);
  }

  /** Ends all of them with one failure. */
  failAll(code: ErrorCode, message: string): void {
    for (const pending of [...this.#waiting.values()]) pending.settle(fail(code, message));
  }
}

function gaveUp(subject: string): Result<never> {
  return fail("cancelled", `Request to ${subject} was cancelled by its caller`);
}

function tooLate(subject: string, timeoutMs: number): Result<never> {
  return fail("timeout", `Cannot get an answer from ${subject}: none came within ${timeoutMs} ms`);
}
