import { encode, limits } from "@pixii/wire";
import type { InstanceId, ModelHash } from "@pixii/wire";
import type { Bus, Clock } from "@pixii/runtime";
import { DemandCount } from "../core/demand_count.ts";

/** Tells planners once a second what was asked of which model. */
export class DemandWriter implements Disposable {
  /** What is counted for the next report. */
  readonly count: DemandCount = new DemandCount();
  readonly #timer: Disposable;
  readonly #send: () => void;

  constructor(options: {
    readonly bus: Bus;
    readonly clock: Clock;
    readonly subject: string;
    readonly frontend: InstanceId;
  }) {
    const { bus, clock, subject, frontend } = options;
    this.#send = () => {
      const models = this.count.take();
      if (models.length === 0) return;
      // Refused or lost, a second of demand is missing in a window of many.
      bus.publish(subject, encode("demandReport", { frontend, models }), { isPatient: true });
    };
    this.#timer = clock.every(limits.demandEveryMs, this.#send);
  }

  /**
   * So many requests more (or fewer) wait for a worker of the model. The first one is told at once and not within a second;
   * answers whether this was one.
   */
  waits(model: ModelHash, more: number): boolean {
    const now = this.count.waits(model, more);
    const isFirst = more > 0 && now === more;
    if (isFirst) this.#send();
    return isFirst;
  }

  /** Tells what is left. */
  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
    this.#send();
  }
}
