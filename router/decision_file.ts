import type { Clock, Log } from "@pixii/runtime";
import type { DecisionListener, KeptDecision } from "./core/decision_log.ts";
import type { RouterMetrics } from "./metrics.ts";

/** How often waiting decisions are written. */
const flushEveryMs = 250;
/** Most that wait; over it new ones are not written. */
const mostPending = 8_192;
/** Decisions that are put into words at a time, before others are let in. */
const batch = 8;

/** What a decision file works with. */
export interface DecisionFileParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<RouterMetrics, "decisionsFiled">;
  /** The older part is `PATH.1`. */
  readonly path: string;
  /** Over this the file becomes the older part and a new one is begun. */
  readonly maxBytes: number;
}

/**
 * Appends decisions to a file as JSON lines, and a line of its own for what became of one that is written already. Never
 * on the way of a request: words are made and written later, a few at a time. What fails is said once and counted.
 */
export class DecisionFile implements DecisionListener, AsyncDisposable {
  readonly #parts: DecisionFileParts;
  readonly #timer: Disposable;
  #pending: KeptDecision[] = [];
  readonly #written = new WeakSet<KeptDecision>();
  #writing: Promise<void> | undefined;
  #bytes: number | undefined;
  #hasFailed = false;

  constructor(parts: DecisionFileParts) {
    this.#parts = parts;
    this.#timer = parts.clock.every(flushEveryMs, () => void this.flush());
  }

  placed(kept: KeptDecision): void {
    this.#add(kept);
  }

  ended(kept: KeptDecision): void {
    // One that still waits takes its outcome along.
    if (this.#written.has(kept)) this.#add(kept);
  }

  /** Writes all that waits. Never throws; a second call waits for the first. */
  flush(): Promise<void> {
    if (this.#pending.length === 0 && this.#writing === undefined) return Promise.resolve();
    return this.#writing ??= this.#drain().finally(() => this.#writing = undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer[Symbol.dispose]();
    await this.flush();
  }

  #add(kept: KeptDecision): void {
    if (this.#pending.length < mostPending) this.#pending.push(kept);
    else this.#parts.metrics.decisionsFiled.add(1, { result: "dropped" });
  }

  async #drain(): Promise<void> {
    const { clock, metrics } = this.#parts;
    const encoder = new TextEncoder();
    while (this.#pending.length > 0) {
      const some = this.#pending.splice(0, batch);
      const bytes = encoder.encode(some.map((kept) => this.#line(kept)).join(""));
      const result = await this.#append(bytes) ? "written" : "failed";
      metrics.decisionsFiled.add(some.length, { result });
      await clock.sleep(0);
    }
  }

  #line(kept: KeptDecision): string {
    const value = this.#written.has(kept) ? { v: 1, outcome: kept.outcome } : kept.report();
    this.#written.add(kept);
    return `${JSON.stringify(value)}\n`;
  }

  async #append(bytes: Uint8Array): Promise<boolean> {
    const { path, maxBytes, log } = this.#parts;
    try {
      this.#bytes ??= await sizeOf(path);
      if (this.#bytes > 0 && this.#bytes + bytes.byteLength > maxBytes) {
        await Deno.rename(path, `${path}.1`);
        this.#bytes = 0;
      }
      await Deno.writeFile(path, bytes, { append: true, create: true, mode: 0o600 });
      this.#bytes += bytes.byteLength;
      return true;
    } catch (error) {
      // What is on disk is looked at again with the next line.
      this.#bytes = undefined;
      if (!this.#hasFailed) {
        log.error("cannot write decisions", { path, reason: reasonOf(error, path) });
      }
      this.#hasFailed = true;
      return false;
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

function reasonOf(error: unknown, path: string): string {
  const { message } = error as Error;
  if (!(error instanceof Deno.errors.NotCapable)) return message;
  return `this program may not; start it with --allow-read=${path},${path}.1 --allow-write=${path},${path}.1`;
}
