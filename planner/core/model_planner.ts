import { bestSplit, needOf, noWorkers } from "./capacity/need.ts";
import type { Counts } from "./capacity/need.ts";
import { PhaseCapacity } from "./capacity/phase_capacity.ts";
import type { Mix } from "./capacity/service_goal.ts";
import { Calibration } from "./calibration.ts";
import { CleanDemand } from "./clean_demand.ts";
import { DemandTracks } from "./demand_tracks.ts";
import { countsOf } from "./moves.ts";
import type { SeenModel } from "./observation.ts";
import type { PlanRecord } from "./plan_record.ts";
import type { ModelRules, PlannerRules } from "./rules.ts";
import { madeRate, servedBy, stepMsOf } from "./served_rates.ts";
import { TriedSizes } from "./tried_sizes.ts";

/** What will still wait when a move has helped is to be gone within so many times the goal for the first token. */
const drainGoals = 4;
/** What comes of the first so many intervals is not learned from: nobody knew anything then. */
const calmIntervals = 10;
/** Prompts that wait longer than this share of the goal press; from the smaller one on they are evidence of a change. */
const pressedShare = 0.5;
const seenShare = 0.25;

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
  /** Prompts or answers are of another length than a short while ago, which is seen bit by bit. */
  readonly isTurning?: boolean;
  /** What there is will miss the goal for long: +1 = prompts wait for much of it already, -1 = answers are made too slowly. */
  readonly urgentWays?: readonly (1 | -1)[];
  /** Why nothing better was wished for, in words; empty where nothing bound. */
  readonly bound: string;
}

interface Seen {
  readonly have: Counts;
  readonly now: Mix;
  readonly waiting: number;
  /** What a step of the answers takes now. */
  readonly stepMs: number;
  readonly capacity: PhaseCapacity;
  readonly nowMs: number;
  readonly loop: PlanRecord["loop"];
}

/**
 * One model's demand over time and what it calls for. The predictive loop foretells loads for the time by which a worker
 * asked for now would serve, and sets the floor; the reactive loop adds what the last seconds surely ask for above it, and
 * what waits and would not be gone by then. Workers are given up only where fewer were surely enough for the hold time.
 */
export class ModelPlanner {
  readonly #rules: ModelRules;
  readonly #planner: PlannerRules;
  readonly #tracks: DemandTracks;
  readonly #clean = new CleanDemand();
  readonly #prompts = new Calibration();
  readonly #answers = new Calibration();
  readonly #tried = new TriedSizes();
  /** What was surely enough of late, to hold on to the largest. */
  #enough: { readonly atMs: number; readonly counts: Counts }[] = [];
  #intervalEndMs: number | undefined;
  #firstMs: number | undefined;

  constructor(rules: ModelRules, planner: PlannerRules) {
    this.#rules = rules;
    this.#planner = planner;
    const { predictiveMs, dayMs } = planner;
    this.#tracks = new DemandTracks({
      steps: Math.max(1, Math.round(this.#aheadMs / predictiveMs)),
      season: Math.max(2, Math.round(dayMs / predictiveMs)),
    });
  }

  /** Observations that were passed over, whole or in part. */
  get rejected(): number {
    return this.#clean.rejected;
  }

  /** How long a move takes that is asked for at the next look. */
  get #moveMs(): number {
    const { elastic, startMs, flipMs } = this.#planner;
    return elastic ? startMs : flipMs;
  }

  get #aheadMs(): number {
    return this.#moveMs + this.#planner.predictiveMs;
  }

  /** Takes what is seen now and says what is wanted. Once per reactive step, in the order of time. */
  step(seen: SeenModel, nowMs: number): ModelWish {
    const have = countsOf(seen.workers);
    const believed = seen.demand && this.#clean.take(seen.demand);
    if (believed !== undefined) {
      const madeRateNow = madeRate(seen, { mix: believed.mix, itlMs: this.#rules.goal.itlMs });
      this.#tracks.take(believed, { madeRate: madeRateNow, doneRate: believed.doneRate });
    }
    this.#firstMs ??= nowMs;
    if (nowMs - this.#firstMs > calmIntervals * this.#planner.predictiveMs) {
      this.#prompts.take(seen.demand?.lateFirst);
      this.#answers.take(seen.demand?.lateNext);
    }
    const isIntervalOver = this.#isIntervalOver(nowMs);
    if (isIntervalOver) this.#tracks.endInterval();
    const loop: PlanRecord["loop"] = isIntervalOver ? "predictive" : "reactive";
    const none = {
      ...{ loop, now: believed?.mix, planned: undefined, want: have, isPressed: false },
      forecast: this.#tracks.forecast(this.#aheadMs),
    } as const;
    if (seen.times === undefined) {
      const bound = "no measured profile of the model's workers: nothing can be planned";
      return { ...none, capacity: undefined, bound };
    }
    const capacity = new PhaseCapacity(seen.times, {
      room: { maxSeqs: seen.maxSeqs, kvTokens: seen.kvTokens },
      goal: this.#rules.goal,
    });
    if (believed === undefined) {
      const bound = "no word of demand lately: the last plan stands";
      return { ...none, capacity, bound };
    }
    const { mix, waiting } = believed;
    const stepMs = stepMsOf(seen, mix);
    return this.#wish({ have, now: mix, waiting, stepMs, capacity, nowMs, loop });
  }

  #wish(at: Seen): ModelWish {
    const { have, now, waiting, capacity, nowMs, loop } = at;
    const served = servedBy(capacity, have, now);
    const goalSeconds = this.#rules.goal.ttftMs / 1000;
    const computed = capacity.promptRate(have.prefill + have.both, now) * now.newTokens;
    const waitSeconds = waiting * now.newTokens / Math.max(computed, 1e-9);
    const expected = this.#tracks.expected(served, waitSeconds > seenShare * goalSeconds)!;
    // What waits is as long as prompts are now, not as they were of late.
    const waitNow = waiting * expected.now.newTokens / Math.max(computed, 1e-9);
    // A role costs less than a start: it is given before half the goal has gone by.
    const isLate = waitNow > (this.#planner.elastic ? pressedShare : seenShare) * goalSeconds;
    // Where only roles change the mix is what it is now, also of what comes while a worker changes: it may be another one.
    const { newTokens, rate } = expected.now;
    const [lengthNow, coming] = this.#planner.elastic
      ? [Math.min(expected.mix.newTokens, newTokens), expected.promptFloor]
      : [newTokens, Math.max(expected.promptFloor, rate * newTokens)];
    const extra = isLate ? this.#backlog(waiting * lengthNow, computed - coming) : 0;
    const isPressed = expected.isRising || isLate;
    const { headroom, hysteresis } = this.#planner;
    const room = (headroom: number) => ({
      prompts: headroom + this.#prompts.room + expected.firstRoom,
      answers: headroom + this.#answers.room + expected.firstRoom,
    });
    const planned = withRoom(expected.mix, extra, room(headroom));
    const sure = withRoom(expected.mix, extra, room(headroom + hysteresis));
    // Where nothing starts, room is what is left over: both jobs are to have the same of it.
    const balanced = withRoom(expected.now, extra, { prompts: 0, answers: 0 });
    const feasible = capacity.feasible(planned);
    const { want, held } = this.#planner.elastic
      ? this.#grown({ capacity, planned, sure, have, nowMs, isPressed })
      : { want: this.#split(capacity, balanced, { have, nowMs }), held: "" };
    const bound = feasible.possible ? held : `the goal is out of reach: ${feasible.why}`;
    return {
      ...{ want: atLeast(want, this.#rules.least), loop, now, capacity },
      planned: this.#planner.elastic ? planned : balanced,
      ...{ forecast: this.#tracks.forecast(this.#aheadMs), isPressed, bound },
      isTurning: expected.isTurning,
      urgentWays: [
        ...(waitNow > pressedShare * goalSeconds ? [1 as const] : []),
        ...(at.stepMs > this.#rules.goal.itlMs ? [-1 as const] : []),
      ],
    };
  }

  /** Prompt tokens per second that what waits asks for on top, where it will not be gone by the time a move helps. */
  #backlog(waitTokens: number, spareRate: number): number {
    const left = Math.max(0, waitTokens - spareRate * this.#moveMs / 1000);
    return left / (drainGoals * this.#rules.goal.ttftMs / 1000);
  }

  /** Where nothing starts or stops: the split of what there is. */
  #split(
    capacity: PhaseCapacity,
    planned: Mix,
    { have, nowMs }: { readonly have: Counts; readonly nowMs: number },
  ): Counts {
    // At first only the shortest answers have ended, and batches still fill.
    if (this.#rules.layout === "both" || !this.#hasWatched(this.#planner.predictiveMs, nowMs)) {
      return have;
    }
    const { prefill, decode } = have;
    const least = atLeast({ prefill: 1, decode: 1, both: 0 }, this.#rules.least);
    if (prefill + decode < 2) return have;
    return { ...bestSplit(capacity, planned, { gpus: prefill + decode, least }), both: have.both };
  }

  /** As many as are needed, and no fewer than were surely enough at all times of late, up to what is there. */
  #grown({ capacity, planned, sure, have, nowMs, isPressed }: {
    readonly capacity: PhaseCapacity;
    readonly planned: Mix;
    readonly sure: Mix;
    readonly have: Counts;
    readonly nowMs: number;
    readonly isPressed: boolean;
  }): { readonly want: Counts; readonly held: string } {
    const options = { layout: this.#rules.layout, most: this.#planner.budgetGpus };
    const need = needOf(capacity, planned, options);
    this.#enough = this.#enough.filter(({ atMs }) => atMs > nowMs - this.#planner.holdMs);
    this.#enough.push({ atMs: nowMs, counts: needOf(capacity, sure, options) });
    // What is there stays until a whole hold time was seen.
    const held = !this.#hasWatched(this.#planner.holdMs, nowMs)
      ? have
      : this.#enough.reduce((all, { counts }) => atLeast(all, counts), noWorkers);
    const tried = this.#tried.take({ nowMs, have, need, load: this.#tracks.level });
    const enough = atLeast(need, atMost(held, have));
    const want = atLeast(enough, atMost(tried, have));
    const lent = this.#lent({ need, want, have, nowMs, isPressed });
    return { want: lent, held: this.#tried.why({ want: lent, enough, nowMs }) };
  }

  /** What one job lacks and the other can spare changes hands at once: that is faster than a start. */
  #lent({ need, want, have, nowMs, isPressed }: {
    readonly need: Counts;
    readonly want: Counts;
    readonly have: Counts;
    readonly nowMs: number;
    readonly isPressed: boolean;
  }): Counts {
    const mayLend = isPressed && this.#hasWatched(this.#planner.predictiveMs, nowMs);
    if (!mayLend || this.#rules.layout === "both") return want;
    const spare = (job: "prefill" | "decode", other: "prefill" | "decode") =>
      Math.max(need[job], want[job] - Math.max(0, need[other] - have[other]));
    return { ...want, prefill: spare("prefill", "decode"), decode: spare("decode", "prefill") };
  }

  #hasWatched(ms: number, nowMs: number): boolean {
    return nowMs - this.#firstMs! >= ms;
  }

  #isIntervalOver(nowMs: number): boolean {
    const { predictiveMs } = this.#planner;
    this.#intervalEndMs ??= nowMs + predictiveMs;
    if (nowMs < this.#intervalEndMs) return false;
    // After a gap the next interval begins now, not long ago.
    this.#intervalEndMs = Math.max(this.#intervalEndMs + predictiveMs, nowMs);
    return true;
  }
}

/** What is expected with room above it, as shares of each load. */
function withRoom(
  mix: Mix,
  extraPrompts: number,
  room: { readonly prompts: number; readonly answers: number },
): Mix {
  return {
    rate: mix.rate,
    isl: mix.isl,
    newTokens: (1 + room.prompts) * mix.newTokens + extraPrompts / Math.max(mix.rate, 1e-9),
    osl: (1 + room.answers) * mix.osl,
  };
}

/** The larger of both, job by job. */
export function atLeast(a: Counts, b: Counts): Counts {
  return {
    prefill: Math.max(a.prefill, b.prefill),
    decode: Math.max(a.decode, b.decode),
    both: Math.max(a.both, b.both),
  };
}

function atMost(a: Counts, b: Counts): Counts {
  return {
    prefill: Math.min(a.prefill, b.prefill),
    decode: Math.min(a.decode, b.decode),
    both: Math.min(a.both, b.both),
  };
}
