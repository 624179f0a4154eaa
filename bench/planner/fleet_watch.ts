import type { SeenDemand, ServiceGoal } from "@pixii/planner/core";
import { quantile } from "../figure.ts";
import type { Watcher } from "./fleet.ts";
import type { LoadRequest } from "./request_line.ts";

/** As the planner's observer sees: rates over a step, tails over three, lengths over a minute. */
const stepMs = 5_000;
const tailMs = 3 * stepMs;
const lengthsMs = 60_000;

interface Ended {
  readonly atMs: number;
  readonly isl: number;
  readonly osl: number;
  readonly ttftMs: number;
  readonly itlMs: number;
}

/** What a planner sees of a fleet: counts of the last seconds, as frontends report them: times when a stream has ended. */
export class FleetWatch implements Watcher {
  readonly #now: () => number;
  readonly #goal: ServiceGoal;
  readonly #onEnded: Watcher["ended"] | undefined;
  #arrived: { readonly atMs: number; readonly isl: number }[] = [];
  #ended: Ended[] = [];

  /** `now`: the fleet's time; `goal`: beyond it requests are late; `onEnded` hears of ends too. */
  constructor(now: () => number, goal: ServiceGoal, onEnded?: Watcher["ended"]) {
    this.#now = now;
    this.#goal = goal;
    this.#onEnded = onEnded;
  }

  arrived(request: LoadRequest): void {
    this.#arrived.push({ atMs: this.#now(), isl: request.isl });
  }

  ended(request: LoadRequest, times: { readonly ttftMs: number; readonly itlMs: number }): void {
    const { isl, osl } = request;
    this.#ended.push({ atMs: this.#now(), isl, osl, ...times });
    this.#onEnded?.(request, times);
  }

  /** Demand and tails as of now; once per step. */
  seen(waiting: number): SeenDemand {
    const nowMs = this.#now();
    this.#arrived = this.#arrived.filter(({ atMs }) => atMs >= nowMs - stepMs);
    this.#ended = this.#ended.filter(({ atMs }) => atMs >= nowMs - lengthsMs);
    const late = this.#ended.filter(({ atMs }) => atMs >= nowMs - tailMs);
    const tail = (of: (one: Ended) => number) =>
      late.length === 0 ? undefined : quantile(late.map(of), 0.95);
    const ttftP95Ms = tail((one) => one.ttftMs);
    const itlP95Ms = tail((one) => one.itlMs);
    return {
      windowMs: stepMs,
      rate: this.#arrived.length / (Math.min(nowMs || stepMs, stepMs) / 1000),
      doneRate: this.#ended.filter(({ atMs }) => atMs >= nowMs - stepMs).length /
        (Math.min(nowMs || stepMs, stepMs) / 1000),
      isl: meanOf(this.#ended, (one) => one.isl),
      newTokens: meanOf(this.#arrived, (one) => one.isl),
      osl: meanOf(this.#ended, (one) => one.osl),
      waiting,
      ...(late.length === 0 ? {} : {
        lateFirst: late.filter(({ ttftMs }) => ttftMs > this.#goal.ttftMs).length / late.length,
        lateNext: late.filter(({ itlMs }) => itlMs > this.#goal.itlMs).length / late.length,
      }),
      ...(ttftP95Ms === undefined ? {} : { ttftP95Ms }),
      ...(itlP95Ms === undefined ? {} : { itlP95Ms }),
    };
  }
}

function meanOf<T>(items: readonly T[], of: (item: T) => number): number | undefined {
  if (items.length === 0) return undefined;
  return items.reduce((sum, one) => sum + of(one), 0) / items.length;
}
