import { ForecastChoice } from "./forecast/forecast_choice.ts";
import type { Forecast } from "./forecast/forecast_choice.ts";

/** Windows of the reactive loop, in its own steps: those that are surely above what is served count. */
const windows = [1, 2, 4, 8, 12] as const;
const mostRecent = windows[windows.length - 1];
/** How surely a window's mean must be above what is served, as deviations of a normal number. */
const sureDeviations = 4;
/** And before so many forecasts were judged, when waiting is the larger risk. */
const firstDeviations = 2;
/** A rise over no more steps than these is believed only as far as chance cannot have made it: a day has thousands. */
const fewSteps = 2;
/** The same for a mean that is another one than was foretold. */
const changeDeviations = 3.5;
const waitingDeviations = 2.5;
/** Values that differ by so much more over a window than from one to the next are like their neighbours. */
const likeNeighbours = 1.5;
/** Share of an older square that is left after each step: about the last ten minutes of steps of 5 s count. */
const memory = 0.99;
/** Room above a load that nobody has foretold yet, as a share; half of it is left after so many forecasts were judged. */
const firstRoom = 0.15;
const firstWeight = 10;
/** Steps before the deviation is believed; until then it is taken as large as the mean. */
const fewestSteps = 6;

/** A load above what is served, in its units per second. */
export interface Rise {
  /** What is most likely asked. */
  readonly level: number;
  /** What is asked at least, as surely as it rises at all: what may be reckoned with for longer than was seen. */
  readonly floor: number;
}

/**
 * One load over time, in units per second: a value a step, whose means over longer intervals are foretold. It knows how much
 * single values scatter, so that it can tell chance from change. Pure: no time of its own.
 */
export class LoadTrack {
  readonly #choice: ForecastChoice;
  #recent: number[] = [];
  #last: number | undefined;
  #squares = 0;
  #weight = 0;
  /** The same over a whole window: larger where one value is like the next. */
  #slowSquares = 0;
  #slowWeight = 0;
  #sum = 0;
  #count = 0;
  #said: Forecast | undefined;
  #first: number | undefined;

  /** `steps`: how far ahead is foretold, in intervals; `season`: intervals of a day. */
  constructor(options: { readonly steps: number; readonly season: number }) {
    this.#choice = new ForecastChoice(options);
  }

  /** Takes a step's value: finite, at least 0. */
  take(value: number): void {
    if (this.#last !== undefined) {
      // Half the square of a difference is the variance, wherever the mean drifts to.
      this.#squares = memory * this.#squares + (value - this.#last) ** 2 / 2;
      this.#weight = memory * this.#weight + 1;
    }
    if (this.#recent.length === mostRecent) {
      this.#slowSquares = memory * this.#slowSquares + (value - this.#recent[0]) ** 2 / 2;
      this.#slowWeight = memory * this.#slowWeight + 1;
    }
    this.#last = value;
    this.#first ??= value;
    this.#recent.push(value);
    if (this.#recent.length > mostRecent) this.#recent.shift();
    this.#sum += value;
    this.#count += 1;
  }

  /** Ends an interval: its mean goes to the forecasters. */
  endInterval(): void {
    if (this.#count > 0) this.#choice.observe(this.#sum / this.#count);
    this.#sum = this.#count = 0;
    this.#said = this.#choice.forecast();
  }

  /** What was foretold at the last interval's end; absent before. */
  get said(): Forecast | undefined {
    return this.#said;
  }

  /** What is expected: the forecast, before there is one the mean of what came. */
  get level(): number | undefined {
    if (this.#said !== undefined) return this.#said.value;
    return this.#count === 0 ? this.#first : this.#sum / this.#count;
  }

  /** Room above the level for how little is known of the load yet, as a share of it. */
  get firstRoom(): number {
    return firstRoom * firstWeight / (firstWeight + (this.#said?.judged ?? 0));
  }

  /** What the last steps surely show above `served`; `undefined` where they show nothing. */
  surely(served: number): Rise | undefined {
    const isNew = (this.#said?.judged ?? 0) < firstWeight;
    const deviations = isNew ? firstDeviations : sureDeviations;
    let [level, floor] = [0, 0];
    for (const steps of windows) {
      if (this.#recent.length < steps) break;
      const mean = this.#recent.slice(-steps).reduce((sum, one) => sum + one, 0) / steps;
      const factor = chanceFactor(this.#slowDeviation(steps) / served, deviations);
      if (mean <= served * factor) continue;
      floor = Math.max(floor, mean / factor);
      level = Math.max(level, steps <= fewSteps ? mean / factor : mean);
    }
    return level > 0 ? { level, floor } : undefined;
  }

  /**
   * What comes now: the level, unless the last steps surely show something else, more or less. Where requests `wait` there is
   * other evidence for more, and less of this is enough. `oneIsEnough`: a step's value is a mean itself, one may show more.
   */
  now({ wait, oneIsEnough = wait }: {
    readonly wait: boolean;
    readonly oneIsEnough?: boolean;
  }): number | undefined {
    const { level } = this;
    if (level === undefined) return undefined;
    const up = wait ? waitingDeviations : changeDeviations;
    for (const steps of windows) {
      if (this.#recent.length < steps) break;
      const mean = this.#recent.slice(-steps).reduce((sum, one) => sum + one, 0) / steps;
      const share = level === 0 ? 1 : this.#deviation(steps) / level;
      // One step alone says nothing of less, and of more only where it is a mean or requests wait.
      if (steps === 1 && !oneIsEnough) continue;
      if (mean > level * chanceFactor(share, up)) return mean;
      if (steps > 1 && mean < level * chanceFactor(share, -changeDeviations)) return mean;
    }
    return level;
  }

  /** Of a mean over so many steps, where values that are like their neighbours are no evidence of their own. */
  #slowDeviation(steps: number): number {
    const quick = this.#deviation(steps);
    if (this.#slowWeight < fewestSteps) return quick;
    const slow = Math.sqrt(this.#slowSquares / this.#slowWeight);
    // Independent values differ by as much over a window as from one to the next.
    const single = this.#deviation(1);
    return slow > likeNeighbours * single ? slow : quick;
  }

  /** Of a mean over so many steps. */
  #deviation(steps: number): number {
    if (this.#weight < fewestSteps) return (this.#last ?? 0) / Math.sqrt(steps);
    return Math.sqrt(this.#squares / this.#weight / steps);
  }
}

/**
 * How far from its mean chance alone may bring a number whose deviation is this share of it: loads are skewed, as Gamma
 * numbers are (Wilson and Hilferty's approximation of 1931 to their quantiles).
 */
function chanceFactor(deviationShare: number, deviations: number): number {
  const share = Math.min(1, Number.isFinite(deviationShare) ? deviationShare : 1);
  return Math.max(0, 1 - share ** 2 / 9 + deviations * share / 3) ** 3;
}
