import { checkValue } from "./forecaster.ts";
import type { Forecaster } from "./forecaster.ts";

/** Shares of what is new in level, trend and season. */
const alpha = 0.3;
const beta = 0.02;
const gamma = 0.25;
/** The trend is followed less with every step. */
const damping = 0.9;
/** A season that was never above this is no divisor. */
const leastLevel = 1e-9;

/**
 * Holt and Winters' smoothing with a multiplicative season (Winters, "Forecasting Sales by Exponentially Weighted Moving
 * Averages", 1960) and a damped trend. The season is a day; it speaks once a whole one was seen.
 */
export class HoltWinters implements Forecaster {
  readonly name = "holt-winters";
  readonly #season: number;
  /** Values of the first season, then factors by place in it. */
  #factors: number[] = [];
  #level = 0;
  #trend = 0;
  #seen = 0;

  /** `season`: intervals of a day, at least 2. */
  constructor(season: number) {
    if (!(Number.isInteger(season) && season >= 2)) {
      throw new RangeError(`A season has a whole number of intervals from 2 on, got ${season}`);
    }
    this.#season = season;
  }

  observe(value: number): void {
    checkValue(value);
    const place = this.#seen % this.#season;
    this.#seen += 1;
    if (this.#seen <= this.#season) {
      this.#factors.push(value);
      if (this.#seen === this.#season) this.#begin();
      return;
    }
    const factor = Math.max(this.#factors[place], leastLevel);
    const before = this.#level;
    const ahead = before + damping * this.#trend;
    this.#level = Math.max(leastLevel, alpha * value / factor + (1 - alpha) * ahead);
    this.#trend = beta * (this.#level - before) + (1 - beta) * damping * this.#trend;
    this.#factors[place] = gamma * value / this.#level + (1 - gamma) * this.#factors[place];
  }

  forecast(steps: number): number | undefined {
    if (this.#seen < this.#season) return undefined;
    const reach = damping * (1 - damping ** steps) / (1 - damping);
    const factor = this.#factors[(this.#seen + steps - 1) % this.#season];
    return Math.max(0, (this.#level + this.#trend * reach) * factor);
  }

  /** The first season: its mean is the level; factors are smoothed over neighbours, a single day being noisy. */
  #begin(): void {
    const values = this.#factors;
    const mean = values.reduce((sum, one) => sum + one, 0) / values.length;
    this.#level = Math.max(leastLevel, mean);
    const reach = Math.min(3, Math.floor(values.length / 8));
    this.#factors = values.map((_, at) => {
      let sum = 0;
      for (let shift = -reach; shift <= reach; shift++) {
        sum += values.at((at + shift) % values.length)!;
      }
      return sum / (2 * reach + 1) / this.#level;
    });
    // The level stands at the end of the day, not at its mean: what was seen last says where.
    const last = Math.max(this.#factors[values.length - 1], leastLevel);
    this.#level = Math.max(leastLevel, 0.5 * this.#level + 0.5 * values[values.length - 1] / last);
  }
}
