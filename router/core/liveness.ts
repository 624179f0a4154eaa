import { limits } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";

/** `live` takes new work, `suspect` does not, `dead` has been silent for so long that its work is elsewhere. */
export type WorkerState = "live" | "suspect" | "dead";

/** When each worker was last heard of. Pure: time is an argument. */
export class Liveness {
  readonly #heardMs = new Map<InstanceId, number>();

  /** A worker's card is known; one never heard of counts as heard now. */
  present(worker: InstanceId, nowMs: number): void {
    if (!this.#heardMs.has(worker)) this.#heardMs.set(worker, nowMs);
  }

  /** A report of a worker with a card came. */
  heard(worker: InstanceId, nowMs: number): void {
    if (this.#heardMs.has(worker)) this.#heardMs.set(worker, nowMs);
  }

  /** The worker's card is gone for good. */
  forget(worker: InstanceId): void {
    this.#heardMs.delete(worker);
  }

  /** Silence of `ms` was our own: it is not counted against anybody. */
  forgive(ms: number): void {
    for (const [worker, heardMs] of this.#heardMs) this.#heardMs.set(worker, heardMs + ms);
  }

  /** How long a worker has been silent; 0 for one without a card. */
  silentMs(worker: InstanceId, nowMs: number): number {
    return nowMs - (this.#heardMs.get(worker) ?? nowMs);
  }

  /** The state of a worker, by silence alone. */
  state(worker: InstanceId, nowMs: number): WorkerState {
    const silentMs = this.silentMs(worker, nowMs);
    if (silentMs >= limits.deadMs) return "dead";
    return silentMs >= limits.suspectMs ? "suspect" : "live";
  }
}
