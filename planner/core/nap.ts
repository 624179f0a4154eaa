import { noWorkers, sizeOf } from "./capacity/need.ts";
import type { Counts } from "./capacity/need.ts";
import type { ModelWish } from "./model_planner.ts";
import { countsOf } from "./moves.ts";
import type { SeenModel } from "./observation.ts";
import type { ModelRules, PlannerRules } from "./rules.ts";

/** How a model that may sleep stands among those that want the same GPU. */
export interface Rest {
  /** Nobody asks for it now: what it has it only keeps. */
  readonly isIdle: boolean;
  /** Of those that are asked for alike: 0 = has got its GPU a short while ago, 1 = waits for one, 2 = has had its turn. */
  readonly turn: 0 | 1 | 2;
  /** Within a turn the smaller one comes first: since when it waits or serves, for an idle one how long it has been idle. */
  readonly rankMs: number;
  /** It has no worker and requests wait for it. */
  readonly wakes: boolean;
  /** Fewest workers that serve anything. */
  readonly fewest: number;
}

/** A wish, with the rest of a model that may sleep. */
export interface NapWish {
  readonly wish: ModelWish;
  /** Why it is wished for, where that is not the demand. */
  readonly why?: string;
  /** Absent where its least workers are always kept. */
  readonly rest?: Rest;
}

/** When one model sleeps and when it wakes. Its sleep is measured, so it does not flap: every request begins it anew. */
export class Nap {
  readonly #rules: ModelRules;
  readonly #planner: PlannerRules;
  #waitsSinceMs: number | undefined;
  #servesSinceMs: number | undefined;

  constructor(rules: ModelRules, planner: PlannerRules) {
    this.#rules = rules;
    this.#planner = planner;
  }

  /** What becomes of a wish. A model without a worker that nobody waits for is let sleep, one that is waited for gets its least. */
  wish(base: ModelWish, seen: SeenModel, nowMs: number): NapWish {
    if (!this.#planner.elastic) return { wish: base };
    const { sleepAfterMs } = this.#rules;
    const have = countsOf(seen.workers);
    const waiting = seen.demand?.waiting ?? 0;
    const hasNone = sizeOf(have) === 0;
    const wakes = hasNone && waiting > 0;
    this.#waitsSinceMs = wakes ? this.#waitsSinceMs ?? nowMs : undefined;
    const serves = seen.workers.some(({ state }) => state === "live" || state === "flipping");
    this.#servesSinceMs = serves ? this.#servesSinceMs ?? nowMs : undefined;
    const nap = this.#wish(base, { seen, have, waiting });
    if (sleepAfterMs === undefined) return nap;
    return { ...nap, rest: this.#rest(seen, { waiting, hasNone, wakes, nowMs }) };
  }

  #wish(
    base: ModelWish,
    at: { readonly seen: SeenModel; readonly have: Counts; readonly waiting: number },
  ): NapWish {
    const { seen, have, waiting } = at;
    const { sleepAfterMs } = this.#rules;
    if (sizeOf(have) === 0) {
      if (waiting > 0) {
        const why = `wakes: ${waiting} ${waiting === 1 ? "request waits" : "requests wait"} for it`;
        return { wish: { ...base, want: this.#least(), isPressed: true, bound: "" }, why };
      }
      if (sleepAfterMs !== undefined) {
        const bound = "asleep: nobody asks for it";
        return { wish: { ...base, want: noWorkers, isPressed: false, bound } };
      }
      const why = "no worker is left of those that are always kept";
      return { wish: { ...base, want: this.#least(), bound: "" }, why };
    }
    const idleMs = seen.idleMs ?? 0;
    if (sleepAfterMs === undefined || idleMs < sleepAfterMs || isAsked(seen)) {
      return { wish: base };
    }
    const why = `goes to sleep: nobody asked for it for ${Math.round(idleMs / 1000)} s`;
    return { wish: { ...base, want: noWorkers, isPressed: false, bound: "" }, why };
  }

  #rest(
    seen: SeenModel,
    at: {
      readonly waiting: number;
      readonly hasNone: boolean;
      readonly wakes: boolean;
      readonly nowMs: number;
    },
  ): Rest {
    const { waiting, hasNone, wakes, nowMs } = at;
    const fewest = sizeOf(this.#set);
    const isStarting = !hasNone && this.#servesSinceMs === undefined;
    const isIdle = hasNone ? waiting === 0 : !isStarting && !isAsked(seen);
    if (isIdle) return { isIdle, turn: 0, rankMs: seen.idleMs ?? 0, wakes, fewest };
    if (hasNone) return { isIdle, turn: 1, rankMs: this.#waitsSinceMs ?? nowMs, wakes, fewest };
    const sinceMs = this.#servesSinceMs ?? nowMs;
    const isNew = isStarting || nowMs - sinceMs < this.#planner.coolDownMs;
    return { isIdle, turn: isNew ? 0 : 2, rankMs: sinceMs, wakes, fewest };
  }

  /** Fewest workers that serve anything. */
  get #set(): Counts {
    const isSplit = this.#rules.layout === "split";
    return isSplit ? { prefill: 1, decode: 1, both: 0 } : { ...noWorkers, both: 1 };
  }

  #least(): Counts {
    const { least } = this.#rules;
    const set = this.#set;
    return {
      prefill: Math.max(set.prefill, least.prefill),
      decode: Math.max(set.decode, least.decode),
      both: Math.max(set.both, least.both),
    };
  }
}

/** Requests came within the last step, wait or run. */
function isAsked({ demand, workers }: SeenModel): boolean {
  if ((demand?.waiting ?? 0) > 0 || (demand?.rate ?? 0) > 0) return true;
  return workers.some(({ running, waiting, state }) =>
    state !== "draining" && running + waiting > 0
  );
}
