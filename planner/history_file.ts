import { exitCodes, StartError } from "@pixii/runtime";
import type { Log } from "@pixii/runtime";
import type { InputLine } from "./core/plan_input.ts";
import type { HistoryLine } from "./plan_history.ts";

/** Most lines that wait to be written; over it new ones are not. */
const mostPending = 4_096;

/** What a history file works with. */
export interface HistoryFileParts {
  /** The older part is `PATH.1`. */
  readonly path: string;
  /** Over this the file becomes the older part and a new one is begun. */
  readonly maxBytes: number;
  readonly log: Log;
}

/**
 * Appends decisions, and what they were made from, to a file as JSON lines, in order and as many at a time as wait. What
 * fails is said once; planning goes on.
 */
export class HistoryFile implements AsyncDisposable {
  readonly #parts: HistoryFileParts;
  #pending: string[] = [];
  #writing: Promise<void> | undefined;
  #bytes: number;
  #hasFailed = false;

  private constructor(parts: HistoryFileParts, bytes: number) {
    this.#parts = parts;
    this.#bytes = bytes;
  }

  /** Begins the file or goes on in it; throws `StartError` where it cannot be written, with what to do. */
  static async open(parts: HistoryFileParts): Promise<HistoryFile> {
    const { path } = parts;
    try {
      await Deno.writeTextFile(path, "", { append: true, create: true, mode: 0o600 });
      return new HistoryFile(parts, (await Deno.stat(path)).size);
    } catch (error) {
      const { message } = error as Error;
      const what = error instanceof Deno.errors.NotCapable
        ? `this program may not: start it with --allow-write=${path},${path}.1 (and read it, where reads are bound too)`
        : `${message}; name another file or make its folder`;
      throw new StartError(`Cannot write --history-file ${path}: ${what}`, exitCodes.usage);
    }
  }

  /** Writes a line some time later. */
  add(line: HistoryLine | InputLine): void {
    if (this.#pending.length >= mostPending) return this.#failed(`${mostPending} lines wait`);
    this.#pending.push(`${JSON.stringify(line)}\n`);
    this.#writing ??= this.#drain();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    // What comes in this turn goes along.
    await Promise.resolve();
    while (this.#pending.length > 0) await this.#write(this.#pending.splice(0).join(""));
    this.#writing = undefined;
  }

  async #write(text: string): Promise<void> {
    const { path, maxBytes } = this.#parts;
    const bytes = new TextEncoder().encode(text);
    try {
      if (this.#bytes > 0 && this.#bytes + bytes.byteLength > maxBytes) {
        await Deno.rename(path, `${path}.1`);
        this.#bytes = 0;
      }
      await Deno.writeFile(path, bytes, { append: true, create: true, mode: 0o600 });
      this.#bytes += bytes.byteLength;
    } catch (error) {
      this.#failed((error as Error).message);
    }
  }

  #failed(reason: string): void {
    if (!this.#hasFailed) {
      this.#parts.log.error("decisions are not written", { file: this.#parts.path, reason });
    }
    this.#hasFailed = true;
  }
}
