import { bestSplit, needOf, noWorkers, rateOf } from "./capacity/need.ts";
import type { Counts } from "./capacity/need.ts";
import { PhaseCapacity } from "./capacity/phase_capacity.ts";
import type { Mix } from "./capacity/service_goal.ts";
import { CleanDemand } from "./clean_demand.ts";
import { ForecastChoice } from "./forecast/forecast_choice.ts";
import { countsOf } from "./moves.ts";
import type { SeenModel } from "./observation.ts";
import type { PlanRecord } from "./plan_record.ts";
import type { ModelRules, PlannerRules } from "./rules.ts";

/** Windows of the reactive loop, in its own steps: the first that is surely above what is served counts. */
const windows = [3, 6, 12] as const;
/** How surely a window's rate must be above what is served, in deviations. */
const sureDeviations = 2;
/** Waiting requests are to be gone within so many times the goal for the first token, but not faster than in so many ms. */
const drainGoals = 4;
const leastDrainMs = 10_000;

/** What a model wants, before the budget is shared out. */
export interface ModelWish {
  readonly want: Counts;
  /** For the record. */
  readonly loop: PlanRecord["loop"];
  readonly now: Mix | undefined;
  readonly planned: Mix | undefined;
  readonly forecast: PlanRecord["forecast"];
  readonly capacity: PhaseCapacity | undefined;
  /** Requests wait longer than they may, or more come than can be served. */
  readonly isPressed: boolean;
  /** Why nothing better was wished for, in words; empty where nothing bound. */
  readonly bound: string;
}

/**
 * One model's demand over time and what it calls for. The predictive loop foretells the rate for the time by which a worker
 * asked for now would serve, and sets the floor; the reactive loop adds what the last seconds surely ask for above it.
 * Workers are given up only where fewer were enough for the whole hold time.
 */
export class ModelPlanner {
  readonly #rules: ModelRules;
  readonly #planner: PlannerRules;
  readonly #choice: ForecastChoice;
  readonly #clean = new CleanDemand();
  readonly #rates: number[] = [];
  /** Wants of late, to hold on to the largest. */
  #wants: { readonly atMs: number; readonly counts: Counts }[] = [];
  #floor: Mix | undefined;
  #forecast: PlanRecord["forecast"];
  #minuteSum = 0;
  #minuteCount = 0;
  #minuteEndMs: number | undefined;

  constructor(rules: ModelRules, planner: PlannerRules) {
    this.#rules = rules;
    this.#planner = planner;
    const { predictiveMs, startMs, flipMs, elastic, dayMs } = planner;
    const ahead = (elastic ? startMs : flipMs) + predictiveMs;
    this.#choice = new ForecastChoice({
      steps: Math.max(1, Math.round(ahead / predictiveMs)),
      season: Math.max(2, Math.round(dayMs / predictiveMs)),
    });
  }

  /** Observations that were passed over, whole or in part. */
  get rejected(): number {
    return this.#clean.rejected;
  }

  /** Takes what is seen now and says what is wanted. Once per reactive step, in the order of time. */
  step(seen: SeenModel, nowMs: number): ModelWish {
    const have = countsOf(seen.workers);
    const mix = seen.demand && this.#clean.take(seen.demand);
    const isMinuteOver = this.#count(mix?.rate, nowMs);
    const loop = isMinuteOver ? "predictive" : "reactive";
    const none = { loop, now: mix, planned: undefined, forecast: this.#forecast } as const;
    if (seen.times === undefined) {
      const bound = "no measured profile of the model's workers: nothing can be planned";
      return { ...none, want: have, capacity: undefined, isPressed: false, bound };
    }
    const capacity = new PhaseCapacity(seen.times, {
      room: { maxSeqs: seen.maxSeqs, kvTokens: seen.kvTokens },
      goal: this.#rules.goal,
    });
    if (mix === undefined) {
      const bound = "no word of demand lately: the last plan stands";
      return { ...none, want: have, capacity, isPressed: false, bound };
    }
    if (isMinuteOver || this.#floor === undefined) this.#foretell(mix);
    return this.#wish(seen, { have, mix, capacity, nowMs, loop });
  }

  #wish(
    seen: SeenModel,
    at: {
      readonly have: Counts;
      readonly mix: Mix;
      readonly capacity: PhaseCapacity;
      readonly nowMs: number;
      readonly loop: PlanRecord["loop"];
    },
  ): ModelWish {
    const { have, mix, capacity, nowMs, loop } = at;
    const { goal, layout } = this.#rules;
    const serves = rateOf(capacity, have, mix);
    const floor: Mix = { ...mix, rate: (1 + this.#planner.headroom) * this.#floor!.rate };
    const surely = this.#surely(serves);
    const drainSeconds = Math.max(leastDrainMs, drainGoals * goal.ttftMs) / 1000;
    const demand = seen.demand!;
    const isLate = (demand.ttftP95Ms ?? 0) > goal.ttftMs || (demand.itlP95Ms ?? 0) > goal.itlMs;
    const backlog = isLate ? demand.waiting / drainSeconds : 0;
    const isPressed = surely !== undefined || (isLate && demand.waiting > 0);
    const rate = Math.max(floor.rate, (surely ?? 0) + (isPressed ? backlog : 0));
    const planned: Mix = { ...floor, rate };
    const most = this.#planner.budgetGpus;
    const feasible = capacity.feasible(planned);
    const need = needOf(capacity, planned, { layout, most });
    const want = this.#planner.elastic
      ? this.#held(need, nowMs)
      : this.#split(capacity, planned, have);
    const bound = feasible.possible ? "" : `the goal is out of reach: ${feasible.why}`;
    return {
      ...{ want: atLeast(want, this.#rules.least), loop, now: mix, planned, capacity },
      ...{ forecast: this.#forecast, isPressed, bound },
    };
  }

  /** Where nothing starts or stops: the split of what there is. */
  #split(capacity: PhaseCapacity, planned: Mix, have: Counts): Counts {
    if (this.#rules.layout === "both") return have;
    const { prefill, decode } = have;
    const least = atLeast({ prefill: 1, decode: 1, both: 0 }, this.#rules.least);
    if (prefill + decode < 2) return have;
    return { ...bestSplit(capacity, planned, { gpus: prefill + decode, least }), both: have.both };
  }

  /** The most that was wanted of each job within the hold time. */
  #held(need: Counts, nowMs: number): Counts {
    this.#wants = this.#wants.filter(({ atMs }) => atMs > nowMs - this.#planner.holdMs);
    this.#wants.push({ atMs: nowMs, counts: need });
    return this.#wants.reduce((all, { counts }) => atLeast(all, counts), noWorkers);
  }

  /** Adds a value to the minute; true where it is over. */
  #count(rate: number | undefined, nowMs: number): boolean {
    this.#minuteEndMs ??= nowMs + this.#planner.predictiveMs;
    if (rate !== undefined) {
      this.#minuteSum += rate;
      this.#minuteCount += 1;
      this.#rates.push(rate);
      if (this.#rates.length > windows[windows.length - 1]) this.#rates.shift();
    }
    if (nowMs < this.#minuteEndMs) return false;
    // After a gap the next minute begins now, not long ago.
    this.#minuteEndMs = Math.max(this.#minuteEndMs + this.#planner.predictiveMs, nowMs);
    if (this.#minuteCount > 0) this.#choice.observe(this.#minuteSum / this.#minuteCount);
    this.#minuteSum = this.#minuteCount = 0;
    return true;
  }

  #foretell(mix: Mix): void {
    const said = this.#choice.forecast();
    const { elastic, startMs, flipMs, predictiveMs } = this.#planner;
    const aheadMs = (elastic ? startMs : flipMs) + predictiveMs;
    if (said === undefined) {
      this.#floor = mix;
      return;
    }
    const { name, value: rate, error } = said;
    this.#forecast = { name, rate, error, aheadMs };
    this.#floor = { ...mix, rate };
  }

  /** The rate that the last seconds surely show above `serves`; `undefined` where they do not. */
  #surely(serves: number): number | undefined {
    const stepSeconds = this.#planner.reactiveMs / 1000;
    for (const steps of windows) {
      if (this.#rates.length < steps) return undefined;
      const recent = this.#rates.slice(-steps);
      const rate = recent.reduce((sum, one) => sum + one, 0) / steps;
      const deviation = Math.sqrt(rate / (steps * stepSeconds));
      if (rate - sureDeviations * deviation > serves) return rate;
    }
    return undefined;
  }
}

/** The larger of both, job by job. */
export function atLeast(a: Counts, b: Counts): Counts {
  return {
    prefill: Math.max(a.prefill, b.prefill),
    decode: Math.max(a.decode, b.decode),
    both: Math.max(a.both, b.both),
  };
}
