import { envPrefix } from "./config_names.ts";
import type { Log } from "./log.ts";
import { exitCodes } from "./start_error.ts";

/** Set to `stdin` by a launcher that holds the other end of standard input. */
export const parentVariable = `${envPrefix}PARENT`;

const stopSignals: readonly Deno.Signal[] = Deno.build.os === "windows"
  ? ["SIGINT", "SIGBREAK"]
  : ["SIGINT", "SIGTERM"];

/**
 * The wish that this program ends: SIGINT, SIGTERM or, under a launcher, the end of standard input, which means that
 * the launcher died. A second signal exits at once.
 */
export class StopRequest implements Disposable {
  readonly #controller = new AbortController();
  readonly #asked = Promise.withResolvers<void>();
  readonly #log: Log;
  readonly #listeners: (readonly [Deno.Signal, () => void])[] = [];
  #reason = "";

  constructor(log: Log) {
    this.#log = log;
    for (const signal of stopSignals) {
      const listener = () => this.#onSignal(signal);
      Deno.addSignalListener(signal, listener);
      this.#listeners.push([signal, listener]);
    }
    if (Deno.env.get(parentVariable) === "stdin") void this.#watchParent();
  }

  /** Why, once asked. */
  get reason(): string {
    return this.#reason;
  }

  /** Resolves when the program shall end. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  /** Aborts then, too. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Asks this program to end, as a signal would. */
  ask(reason: string): void {
    if (this.#reason !== "") return;
    this.#reason = reason;
    this.#controller.abort(new DOMException(`Stopped: ${reason}`, "AbortError"));
    this.#asked.resolve();
  }

  [Symbol.dispose](): void {
    for (const [signal, listener] of this.#listeners.splice(0)) {
      Deno.removeSignalListener(signal, listener);
    }
  }

  #onSignal(signal: Deno.Signal): void {
    if (this.#reason === "") return this.ask(signal);
    this.#log.warn("second signal: not waiting for the drain", { signal });
    Deno.exit(exitCodes.stopped);
  }

  async #watchParent(): Promise<void> {
    const buffer = new Uint8Array(1024);
    try {
      while (
        await Deno.stdin.read(buffer) !== null
      ) { /* what a launcher writes has no meaning yet */ }
      this.ask("the launcher ended");
    } catch (error) {
      this.ask(`standard input failed: ${error}`);
    }
  }
}
