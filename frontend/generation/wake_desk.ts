import { ChurnMap, fail, ok } from "@pixii/wire";
import type { ModelHash, Result } from "@pixii/wire";
import { formatDuration } from "@pixii/runtime";
import type { Clock, Log } from "@pixii/runtime";
import type { DemandWriter } from "./demand_writer.ts";
import type { WatchedDirectory } from "./directory_watch.ts";
import type { GenerationMetrics } from "./generation_metrics.ts";

/** Bounds of the wait for a model that sleeps. */
export interface WakeLimits {
  /** Longest wait, ms; 0 = none waits. */
  readonly timeoutMs: number;
  /** Most requests that wait, of all models. */
  readonly most: number;
}

/** Used where nobody says otherwise. */
export const usualWakeLimits: WakeLimits = { timeoutMs: 300_000, most: 1_024 };

/** When a client whose model was not ready in time should ask again: it is on its way. */
const retryAfterMs = 10_000;

/** How long somebody waits. */
export interface WakePatience {
  readonly signal: AbortSignal;
  /** Where that is shorter than the usual bound, ms. */
  readonly mostMs?: number;
}

/** Routers hear of the first worker as frontends do: a moment later they place requests at it. */
const settleMs = 100;

/** A model that is waited for. */
interface Wanted {
  readonly name: string;
  readonly hash: ModelHash;
}

type Ended = "woken" | "timeout" | "cancelled" | "draining";

interface Wait {
  readonly model: Wanted;
  end(how: Ended): void;
}

/**
 * Requests for models that have no worker now and get one when they are asked for. Planners hear of them at once; when a
 * worker announces itself all of its model's go on, in the order they came. Each wait ends, by its time at the latest.
 */
export class WakeDesk implements Disposable {
  readonly #options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly metrics: GenerationMetrics;
    readonly demand: DemandWriter;
    readonly directory: Pick<WatchedDirectory, "wakes" | "isOpen" | "onChange" | "workers">;
    readonly limits: WakeLimits;
  };
  readonly #waits = new ChurnMap<number, Wait>();
  readonly #open: readonly Disposable[];
  #made = 0;
  #isClosed = false;

  constructor(options: {
    clock: Clock;
    log: Log;
    metrics: GenerationMetrics;
    demand: DemandWriter;
    directory: Pick<WatchedDirectory, "wakes" | "isOpen" | "onChange" | "workers">;
    limits: WakeLimits;
  }) {
    this.#options = options;
    const { directory } = options;
    this.#open = [
      directory.onChange(() => this.#look()),
      directory.workers.onTick(() => this.#look()),
    ];
  }

  /** Requests that wait now. */
  get size(): number {
    return this.#waits.size;
  }

  /** True where none of the model's workers takes work and asking for it brings one. */
  sleeps(model: ModelHash): boolean {
    const { directory } = this.#options;
    return directory.wakes(model) && !directory.isOpen(model);
  }

  /**
   * Waits until a worker of the model takes work. Fails with `no_worker` after its time (`mostMs` where that is shorter),
   * `overloaded` where too many wait, `cancelled` with `signal`, `draining` where the frontend ends. O(1) but for the look.
   */
  async wait(
    model: Wanted,
    { signal, mostMs = Infinity }: WakePatience,
  ): Promise<Result<void>> {
    const { clock, metrics, limits, demand, log } = this.#options;
    if (signal.aborted || this.#isClosed) {
      return this.#result(model, signal.aborted ? "cancelled" : "draining", 0);
    }
    if (limits.timeoutMs === 0) {
      // It is woken all the same, for whoever asks again.
      demand.waits(model.hash, 1);
      demand.waits(model.hash, -1);
      return this.#result(model, "timeout", 0);
    }
    if (this.#waits.size >= limits.most) {
      metrics.wakes.add(1, { model: model.name, end: "full" });
      return fail(
        "overloaded",
        `Cannot wait for the model '${model.name}': ${limits.most} requests wait for models that are being started; try again later`,
        { retryAfterMs },
      );
    }
    const startMs = clock.nowMs();
    const timeoutMs = Math.min(limits.timeoutMs, mostMs);
    const ended = Promise.withResolvers<Ended>();
    const id = ++this.#made;
    this.#waits.set(id, { model, end: ended.resolve });
    if (demand.waits(model.hash, 1)) log.info("a model is asked to wake", { model: model.name });
    const leave = () => ended.resolve("cancelled");
    signal.addEventListener("abort", leave, { once: true });
    using _late = clock.timer(timeoutMs, () => ended.resolve("timeout"));
    const how = await ended.promise;
    if (how === "woken") await clock.sleep(settleMs, signal).catch(() => undefined);
    signal.removeEventListener("abort", leave);
    this.#waits.delete(id);
    demand.waits(model.hash, -1);
    metrics.wakeSeconds.observe((clock.nowMs() - startMs) / 1000);
    return this.#result(model, how, timeoutMs);
  }

  /** Ends every wait with `draining`; nobody waits from now on. */
  close(): void {
    this.#isClosed = true;
    for (const { end } of [...this.#waits.values()]) end("draining");
  }

  [Symbol.dispose](): void {
    this.close();
    for (const one of this.#open) one[Symbol.dispose]();
  }

  #look(): void {
    if (this.#waits.size === 0) return;
    const { directory } = this.#options;
    for (const { model, end } of [...this.#waits.values()]) {
      if (directory.isOpen(model.hash)) end("woken");
    }
  }

  #result({ name }: Wanted, how: Ended, waitedMs: number): Result<void> {
    this.#options.metrics.wakes.add(1, { model: name, end: how });
    if (how === "woken") return ok(undefined);
    if (how === "cancelled") {
      return fail("cancelled", `The client went away while '${name}' was being started`);
    }
    if (how === "draining") {
      return fail("draining", "This frontend is shutting down and takes no new work; try again");
    }
    const long = waitedMs === 0 ? "" : `, and was not ready after ${formatDuration(waitedMs)}`;
    const message = `The model '${name}' was asleep and is being started${long}: try again`;
    return fail("no_worker", message, { retryAfterMs });
  }
}
