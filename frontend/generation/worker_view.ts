import { decode, limits } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import type { Bus, Clock, Log } from "@pixii/runtime";
import { Liveness } from "../core/liveness.ts";
import type { WorkerState } from "../core/liveness.ts";

/** A timer this late means that our own event loop stood still: others' silence in that time was ours. */
const stallMs = 100;
/** After a reconnect workers get this long to be heard again. */
const reconnectGraceMs = 1_000;

/** What is heard of all workers: load reports and everything else that comes from them. */
export class WorkerView implements Disposable {
  readonly #liveness = new Liveness();
  readonly #bus: Bus;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #open: Disposable[];
  readonly #listeners = new Set<(nowMs: number) => void>();
  #tickMs: number;

  constructor(options: { bus: Bus; clock: Clock; log: Log; allLoad: string }) {
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#tickMs = options.clock.nowMs();
    this.#open = [
      options.bus.subscribe(options.allLoad, (message) => this.#report(message.payload)),
      options.bus.onStatus((status) => {
        if (status === "connected") this.#liveness.forgive(reconnectGraceMs);
      }),
      options.clock.every(limits.loadEveryMs, () => this.#tick()),
    ];
  }

  /** Calls back every 250 ms, after silence was judged. */
  onTick(listener: (nowMs: number) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** The worker's card is in the registry. */
  present(worker: InstanceId): void {
    this.#liveness.present(worker, this.#clock.nowMs());
  }

  /** The worker's card left the registry. */
  gone(worker: InstanceId): void {
    this.#liveness.gone(worker);
  }

  /** Anything came from the worker. */
  heard(worker: InstanceId): void {
    this.#liveness.heard(worker, this.#clock.nowMs());
  }

  /** A stream was placed at the worker. */
  started(worker: InstanceId): void {
    this.#liveness.started(worker, this.#clock.nowMs());
  }

  /** Nobody answers for the worker. */
  unreachable(worker: InstanceId): void {
    this.#liveness.unreachable(worker, this.#clock.nowMs());
  }

  /** How the worker is. */
  state(worker: InstanceId): WorkerState {
    return this.#liveness.state(worker, this.#clock.nowMs());
  }

  /** Requests at the worker as far as known, and whether it drains. */
  load(worker: InstanceId): { readonly requests: number; readonly draining: boolean } {
    return this.#liveness.load(worker);
  }

  /** Forgets dead workers without a card that nobody needs. */
  prune(needed: (worker: InstanceId) => boolean): void {
    this.#liveness.prune(this.#clock.nowMs(), needed);
  }

  [Symbol.dispose](): void {
    for (const one of this.#open.splice(0)) one[Symbol.dispose]();
    this.#listeners.clear();
  }

  #report(payload: Uint8Array): void {
    const report = decode("loadReport", payload);
    if (report.ok) this.#liveness.reported(report.value, this.#clock.nowMs());
    else this.#log.debug("not a load report", { reason: report.error.message });
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    const elapsedMs = nowMs - this.#tickMs;
    this.#tickMs = nowMs;
    const lateMs = elapsedMs - limits.loadEveryMs;
    if (this.#bus.status === "disconnected") this.#liveness.forgive(elapsedMs);
    else if (lateMs > stallMs) this.#liveness.forgive(lateMs);
    for (const listener of [...this.#listeners]) listener(nowMs);
  }
}
