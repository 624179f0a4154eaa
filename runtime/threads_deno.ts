import type { Thread, Threads } from "./threads.ts";

/** Threads as Deno Workers with this program's permissions. */
export function denoThreads(): Threads {
  return { start: (url, name) => new DenoThread(url, name) };
}

class DenoThread implements Thread {
  readonly #worker: Worker;

  constructor(url: URL, name: string) {
    this.#worker = new Worker(url, { type: "module", name });
  }

  post(message: unknown, transfer: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, [...transfer]);
  }

  onMessage(handler: (message: unknown) => void): void {
    this.#worker.addEventListener("message", (event) => handler(event.data));
  }

  onError(handler: (error: Error) => void): void {
    this.#worker.addEventListener("error", (event) => {
      // Without this the error would end the whole program before the handler can act.
      event.preventDefault();
      handler(event.error instanceof Error ? event.error : new Error(event.message));
    });
    this.#worker.addEventListener("messageerror", () => {
      handler(new Error("Cannot read a thread's message: it holds what cannot be cloned"));
    });
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
