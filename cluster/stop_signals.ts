/** SIGINT and SIGTERM of a launcher: the first asks for a drain, the second for an end at once. */
export class StopSignals implements Disposable {
  readonly #first = new AbortController();
  readonly #second = new AbortController();
  readonly #listener = () => this.#on();
  readonly #names: readonly Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];

  constructor() {
    for (const name of this.#names) Deno.addSignalListener(name, this.#listener);
  }

  /** Aborts at the first signal. */
  get asked(): AbortSignal {
    return this.#first.signal;
  }

  /** Aborts at the second one. */
  get hurry(): AbortSignal {
    return this.#second.signal;
  }

  [Symbol.dispose](): void {
    for (const name of this.#names) Deno.removeSignalListener(name, this.#listener);
  }

  #on(): void {
    if (this.#first.signal.aborted) this.#second.abort();
    else this.#first.abort();
  }
}

/** Resolves when a signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
