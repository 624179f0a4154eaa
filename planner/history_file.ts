import type { Log } from "@pixii/runtime";
import type { HistoryLine } from "./plan_history.ts";

/** Most lines that wait to be written; over it new ones are not. */
const mostPending = 4_096;

/** Appends decisions to a file as JSON lines, in order. What fails is said once; planning goes on. */
export class HistoryFile implements AsyncDisposable {
  readonly #path: string;
  readonly #log: Log;
  #pending = 0;
  #last: Promise<void> = Promise.resolve();
  #hasFailed = false;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  /** Writes a line some time later. */
  add(line: HistoryLine): void {
    if (this.#pending >= mostPending) return;
    this.#pending += 1;
    this.#last = this.#last.then(() => this.#write(`${JSON.stringify(line)}\n`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
  }

  async #write(text: string): Promise<void> {
    this.#pending -= 1;
    try {
      await Deno.writeTextFile(this.#path, text, { append: true });
    } catch (error) {
      if (this.#hasFailed) return;
      this.#hasFailed = true;
      const reason = (error as Error).message;
      this.#log.error("decisions are not written", { file: this.#path, reason });
    }
  }
}
