import { quantile } from "../figure.ts";
import type { PlannedFleet, Watcher } from "./fleet.ts";
import type { LoadRequest } from "./request_line.ts";

/** Demand is seen over so long, tails over so long. */
export const demandWindowMs = 15_000;
const tailWindowMs = 30_000;

interface Timed {
  readonly atMs: number;
  readonly value: number;
}

/** What a planner sees of a fleet: counts of the last seconds, as frontends and workers would report them. */
export class FleetWatch implements Watcher {
  #now: () => number = () => 0;
  readonly #arrived: (Timed & { readonly isl: number })[] = [];
  readonly #first: Timed[] = [];
  readonly #ended: (Timed & { readonly osl: number })[] = [];

  /** Reads the time from the fleet. */
  watch(fleet: PlannedFleet): void {
    this.#now = () => fleet.nowMs;
  }

  arrived(request: LoadRequest): void {
    this.#arrived.push({ atMs: this.#now(), value: 1, isl: request.isl });
  }

  first(ttftMs: number): void {
    this.#first.push({ atMs: this.#now(), value: ttftMs });
  }

  ended(request: LoadRequest, itlMs: number): void {
    this.#ended.push({ atMs: this.#now(), value: itlMs, osl: request.osl });
  }

  /** Demand and tails as of now. */
  seen(waiting: number) {
    const nowMs = this.#now();
    for (const list of [this.#arrived, this.#first, this.#ended]) {
      const kept = list.findIndex(({ atMs }) => atMs > nowMs - tailWindowMs);
      list.splice(0, kept < 0 ? list.length : kept);
    }
    const recent = this.#arrived.filter(({ atMs }) => atMs > nowMs - demandWindowMs);
    const mean = (values: readonly number[]) =>
      values.length === 0 ? undefined : values.reduce((sum, one) => sum + one, 0) / values.length;
    const tail = (values: readonly number[]) =>
      values.length === 0 ? undefined : quantile(values, 0.95);
    const isl = mean(recent.map((one) => one.isl));
    return {
      windowMs: demandWindowMs,
      rate: recent.length / (Math.min(nowMs, demandWindowMs) / 1000 || 1),
      ...{ isl, newTokens: isl, osl: mean(this.#ended.map((one) => one.osl)), waiting },
      ttftP95Ms: tail(this.#first.map((one) => one.value)),
      itlP95Ms: tail(this.#ended.map((one) => one.value)),
    };
  }
}
