import { ArForecast } from "./ar_forecast.ts";
import { ConstantForecast } from "./constant_forecast.ts";
import { forecasterNames } from "./forecaster.ts";
import type { Forecaster, ForecasterName } from "./forecaster.ts";
import { HoltWinters } from "./holt_winters.ts";
import { KalmanForecast } from "./kalman_forecast.ts";

/** Share of an older error that is left after each interval: about the last hour of minutes counts. */
const memory = 0.98;
/** Another forecaster takes over only where its error is smaller by this share. */
const margin = 0.05;

/** What is foretold, and how well that went lately. */
export interface Forecast {
  readonly name: ForecasterName;
  /** The value foretold. */
  readonly value: number;
  /** Mean of |foretold - came| over mean of what came, for this forecaster at this distance; absent before any came. */
  readonly error: number | undefined;
  /** Forecasts of it that came true or not, all in all. */
  readonly judged: number;
}

interface Rival {
  readonly forecaster: Forecaster;
  /** What it foretold, by the interval it was for. */
  readonly said: Map<number, number>;
  errorSum: number;
  weight: number;
  judged: number;
}

/**
 * All forecasters side by side over one series, each judged by a rolling backtest at the distance that counts (how long a
 * move takes): what it said then against what came. The best of late speaks. O(forecasters) per value.
 */
export class ForecastChoice {
  readonly #rivals: readonly Rival[];
  readonly #steps: number;
  #count = 0;
  #sum = 0;
  #weight = 0;
  #chosen: Rival;

  /** `steps`: distance of the forecasts in intervals, at least 1; `season`: intervals of a day. */
  constructor({ steps, season }: { readonly steps: number; readonly season: number }) {
    this.#steps = steps;
    const made: Readonly<Record<ForecasterName, Forecaster>> = {
      constant: new ConstantForecast(),
      kalman: new KalmanForecast(),
      ar: new ArForecast(),
      "holt-winters": new HoltWinters(season),
    };
    this.#rivals = forecasterNames.map((name) => ({
      forecaster: made[name],
      said: new Map(),
      errorSum: 0,
      weight: 0,
      judged: 0,
    }));
    this.#chosen = this.#rivals[0];
  }

  /** Takes the next value: finite, at least 0. */
  observe(value: number): void {
    this.#count += 1;
    this.#sum = memory * this.#sum + value;
    this.#weight = memory * this.#weight + 1;
    for (const rival of this.#rivals) {
      this.#judge(rival, value);
      rival.forecaster.observe(value);
      const said = rival.forecaster.forecast(this.#steps);
      if (said !== undefined) rival.said.set(this.#count + this.#steps, said);
    }
    this.#choose();
  }

  /** What comes `steps` intervals after the last value; `undefined` before any value. */
  forecast(): Forecast | undefined {
    const { forecaster } = this.#chosen;
    const value = forecaster.forecast(this.#steps);
    if (value === undefined) return undefined;
    const { judged } = this.#chosen;
    return { name: forecaster.name, value, error: this.#errorOf(this.#chosen), judged };
  }

  /** Errors of all, for people; those that said nothing yet are left out. */
  errors(): ReadonlyMap<ForecasterName, number> {
    return new Map(this.#rivals.flatMap((rival) => {
      const error = this.#errorOf(rival);
      return error === undefined ? [] : [[rival.forecaster.name, error] as const];
    }));
  }

  #judge(rival: Rival, value: number): void {
    const said = rival.said.get(this.#count);
    if (said === undefined) return;
    rival.said.delete(this.#count);
    rival.errorSum = memory * rival.errorSum + Math.abs(said - value);
    rival.weight = memory * rival.weight + 1;
    rival.judged += 1;
  }

  #choose(): void {
    const now = this.#errorOf(this.#chosen);
    for (const rival of this.#rivals) {
      const error = this.#errorOf(rival);
      if (error === undefined || rival === this.#chosen) continue;
      if (now === undefined || error < (1 - margin) * this.#errorOf(this.#chosen)!) {
        this.#chosen = rival;
      }
    }
  }

  #errorOf({ errorSum, weight }: Rival): number | undefined {
    if (weight === 0) return undefined;
    const mean = this.#sum / this.#weight;
    return mean === 0 ? errorSum / weight : errorSum / weight / mean;
  }
}
