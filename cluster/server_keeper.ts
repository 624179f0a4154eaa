import type { Clock, LocalServer, Log } from "@pixii/runtime";
import type { RunFolder } from "./run_folder.ts";
import { type BackOff, backOff } from "./supervisor.ts";

/** What a keeper is told. */
export interface ServerKeeperOptions {
  readonly name: string;
  readonly server: LocalServer;
  readonly clock: Clock;
  readonly log: Log;
  readonly runFolder: Pick<RunFolder, "noteChild" | "forgetChild">;
  readonly backOff?: BackOff;
}

/** Keeps a server that this launcher started running: one that dies starts again on its port with its data. */
export class ServerKeeper implements AsyncDisposable {
  readonly #options: ServerKeeperOptions;
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;

  constructor(options: ServerKeeperOptions) {
    this.#options = options;
    this.#loop = this.#watch();
  }

  /** Ends the server. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#options.server[Symbol.asyncDispose]();
    await this.#loop;
  }

  async #watch(): Promise<void> {
    const { server, clock, log, name, runFolder } = this.#options;
    const { firstMs, maxMs, stableMs } = this.#options.backOff ?? backOff;
    let waitMs = firstMs;
    for (;;) {
      const beganMs = clock.nowMs();
      const { pid } = server;
      await runFolder.noteChild(pid, "server");
      await server.exited;
      await runFolder.forgetChild(pid);
      if (this.#stop.signal.aborted) return;
      if (clock.nowMs() - beganMs >= stableMs) waitMs = firstMs;
      log.warn(`${name} ended; it starts again in ${waitMs} ms`);
      try {
        await clock.sleep(waitMs, this.#stop.signal);
        waitMs = Math.min(waitMs * 2, maxMs);
        await server.restart();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        log.error(
          `${name} does not start again: ${error instanceof Error ? error.message : error}`,
        );
      }
    }
  }
}
