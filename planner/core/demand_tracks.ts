import type { Mix } from "./capacity/service_goal.ts";
import type { BelievedDemand } from "./clean_demand.ts";
import { LoadTrack } from "./load_track.ts";
import type { PlanRecord } from "./plan_record.ts";
import type { ServedRates } from "./served_rates.ts";

/** Of answers, per second. */
export interface AnswerRates {
  /** Tokens that workers make, or are asked to. */
  readonly madeRate: number;
  /** Answers that end; absent where that is not known. */
  readonly doneRate?: number;
}

/** What a model's workers are to be ready for. */
export interface ExpectedDemand {
  readonly mix: Mix;
  /** What is asked at this moment, be it more or less: for moves that take seconds. */
  readonly now: Mix;
  /** Prompts or answers are surely of another length than of late: what else is seen of the mix is still the old one. */
  readonly isTurning: boolean;
  /** Prompt tokens per second that are surely asked for longer than was seen. */
  readonly promptFloor: number;
  /** Room for how little is known yet, as a share. */
  readonly firstRoom: number;
  /** The last seconds surely ask for more than is served. */
  readonly isRising: boolean;
}

/**
 * A model's demand over time as three loads that go their own ways: requests, prompt tokens, answer tokens; and the answer
 * tokens that its workers are seen to make, which tell of longer answers before the first of them ends.
 */
export class DemandTracks {
  readonly #requests: LoadTrack;
  readonly #prompts: LoadTrack;
  readonly #answers: LoadTrack;
  readonly #made: LoadTrack;
  /** Prompt tokens to compute per request. */
  readonly #perRequest: LoadTrack;
  /** Tokens made per answer that ends. */
  readonly #perAnswer: LoadTrack;
  readonly #all: readonly LoadTrack[];
  #mix: Mix | undefined;

  /** `steps`, `season`: as forecasters want them, in intervals. */
  constructor(options: { readonly steps: number; readonly season: number }) {
    this.#requests = new LoadTrack(options);
    this.#prompts = new LoadTrack(options);
    this.#answers = new LoadTrack(options);
    this.#made = new LoadTrack(options);
    this.#perRequest = new LoadTrack(options);
    this.#perAnswer = new LoadTrack(options);
    const loads = [this.#requests, this.#prompts, this.#answers, this.#made];
    this.#all = [...loads, this.#perRequest, this.#perAnswer];
  }

  /** Takes a step's demand, and what workers do about it now. */
  take(seen: BelievedDemand, { madeRate, doneRate = 0 }: AnswerRates): void {
    this.#mix = seen.mix;
    this.#requests.take(seen.mix.rate);
    this.#prompts.take(seen.promptRate);
    this.#answers.take(seen.answerRate);
    this.#made.take(madeRate);
    if (doneRate > 0) this.#perAnswer.take(madeRate / doneRate);
    if (seen.mix.rate > 0) this.#perRequest.take(seen.promptRate / seen.mix.rate);
  }

  /** Ends an interval: forecasts are made anew. */
  endInterval(): void {
    for (const track of this.#all) track.endInterval();
  }

  /** The forecast of requests, for the record; absent before there is one. */
  forecast(aheadMs: number): PlanRecord["forecast"] {
    const said = this.#requests.said;
    if (said === undefined) return undefined;
    return { name: said.name, rate: said.value, error: said.error, aheadMs };
  }

  /** Prompt and answer tokens per second that are foretold, whatever the last seconds say. */
  get level(): { readonly prompts: number; readonly answers: number } {
    return { prompts: this.#prompts.level ?? 0, answers: this.#answers.level ?? 0 };
  }

  /** What to be ready for, given what is served now and whether prompts wait; `undefined` before anything was seen. */
  expected(served: ServedRates, wait: boolean): ExpectedDemand | undefined {
    const mix = this.#mix;
    if (mix === undefined) return undefined;
    const requests = over(this.#requests, served.requests);
    const prompts = over(this.#prompts, served.prompts);
    const answers = over(this.#answers, served.answers);
    const made = over(this.#made, served.answers);
    const rate = requests.level;
    // Where nobody asks there is nothing to divide by: lengths are what they were of late.
    const newTokens = rate > 0 ? prompts.level / rate : mix.newTokens;
    const osl = rate > 0 ? Math.max(answers.level, made.level) / rate : mix.osl;
    return {
      mix: {
        rate: requests.level,
        newTokens,
        isl: newTokens + Math.max(0, mix.isl - mix.newTokens),
        osl,
      },
      ...this.#now(mix, wait),
      promptFloor: prompts.floor,
      firstRoom: this.#prompts.firstRoom,
      isRising: prompts.isRising || answers.isRising || made.isRising,
    };
  }

  #now(mix: Mix, wait: boolean): Pick<ExpectedDemand, "now" | "isTurning"> {
    const rate = this.#requests.now({ wait: false }) ?? 0;
    const made = this.#made.now({ wait: false }) ?? 0;
    if (rate <= 0) return { now: { ...mix, rate: 0 }, isTurning: false };
    // Per request: a bout of requests is no other mix, and single steps scatter far less without it.
    const newTokens = this.#perRequest.now({ wait, oneIsEnough: true }) ?? 0;
    // Batches grow to longer answers, or shrink, over a whole answer's time. What is made for each answer that ends is another
    // length before that: lengths of answers that end and of those that still run, as of lifetimes of which some are not over.
    const ended = this.#perAnswer.now({ wait: false });
    const isOther = ended !== undefined && ended !== this.#perAnswer.level;
    const usual = (made > 0 ? made : this.#answers.now({ wait: false }) ?? 0) / rate;
    return {
      now: {
        ...{ rate, newTokens, isl: newTokens + Math.max(0, mix.isl - mix.newTokens) },
        osl: isOther ? ended : usual,
      },
      isTurning: isOther || newTokens !== (this.#perRequest.level ?? 0),
    };
  }
}

function over(track: LoadTrack, served: number) {
  const level = track.level ?? 0;
  const surely = track.surely(Math.max(level, served));
  return {
    level: Math.max(level, surely?.level ?? 0),
    floor: Math.max(level, surely?.floor ?? 0),
    isRising: surely !== undefined,
  };
}
