/** A thread: a Deno Worker behind a port, so that tests and the simulator can stand in for it. */
export interface Thread extends Disposable {
  post(message: unknown, transfer?: readonly Transferable[]): void;
  onMessage(handler: (message: unknown) => void): void;
  /** Uncaught error or unhandled rejection inside; the thread is dead afterwards. */
  onError(handler: (error: Error) => void): void;
}

/** Starts threads. The only place of `new Worker`. */
export interface Threads {
  /** Starts the module at `url`. Disposing terminates it (which cannot stop native code: shut that down first). */
  start(url: URL, name: string): Thread;
}
