import type { EngineRequest } from "../engine.ts";
import type { HostRun } from "../kv_store/kv_store.ts";

interface Waiting {
  readonly request: EngineRequest;
  host: HostRun | undefined;
  isReady: boolean;
  isCancelled: boolean;
}

/** Where requests go when their turn has come. */
export interface SubmitLineExit {
  submit(request: EngineRequest, host: HostRun | undefined): void;
  cancel(stream: number): void;
}

/** Requests on their way to the engine's thread: what the host tier has of some is asked first, and all keep their order. */
export class SubmitLine {
  readonly #exit: SubmitLineExit;
  readonly #waiting: Waiting[] = [];

  constructor(exit: SubmitLineExit) {
    this.#exit = exit;
  }

  /** Takes a request; `found` says what the host tier has of it, and must not reject. Without it the request is ready. */
  add(request: EngineRequest, found?: Promise<HostRun | undefined>): void {
    const isReady = found === undefined;
    const one: Waiting = { request, host: undefined, isReady, isCancelled: false };
    this.#waiting.push(one);
    if (found === undefined) return this.#go();
    void found.then((host) => {
      one.host = host;
      one.isReady = true;
      this.#go();
    });
  }

  /** Ends a stream; one that waits here still goes on, so that its end is told as any other. */
  cancel(stream: number): void {
    const one = this.#waiting.find(({ request }) => request.stream === stream);
    if (one === undefined) this.#exit.cancel(stream);
    else one.isCancelled = true;
  }

  /** Lets all go on as they are: nobody is asked any more. */
  flush(): void {
    for (const one of this.#waiting) one.isReady = true;
    this.#go();
  }

  #go(): void {
    while (this.#waiting[0]?.isReady) {
      const { request, host, isCancelled } = this.#waiting.shift()!;
      this.#exit.submit(request, host);
      if (isCancelled) this.#exit.cancel(request.stream);
    }
  }
}
