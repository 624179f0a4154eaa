import { checkValue } from "./forecaster.ts";
import type { Forecaster } from "./forecaster.ts";

/** Values that it looks back on, and how many it needs. */
const windowValues = 240;
const fewest = 24;
/** Values that a coefficient belongs to. */
const order = 6;
/** Estimated anew after so many values. */
const refitEvery = 6;

/**
 * Autoregression of order 6 around the window's mean, coefficients by Yule and Walker's equations, solved by Levinson and
 * Durbin's recursion (Box and Jenkins, "Time Series Analysis", 1976). O(order x window) at a refit.
 */
export class ArForecast implements Forecaster {
  readonly name = "ar";
  #values: number[] = [];
  #mean = 0;
  #weights: readonly number[] = [];
  #sinceFit = 0;

  observe(value: number): void {
    checkValue(value);
    this.#values.push(value);
    if (this.#values.length > windowValues) this.#values.shift();
    this.#sinceFit += 1;
    if (this.#values.length < fewest || this.#sinceFit < refitEvery) return;
    this.#sinceFit = 0;
    this.#mean = this.#values.reduce((sum, one) => sum + one, 0) / this.#values.length;
    this.#weights = yuleWalker(this.#values.map((one) => one - this.#mean), order);
  }

  forecast(steps: number): number | undefined {
    if (this.#weights.length === 0) return undefined;
    const recent = this.#values.slice(-order).map((one) => one - this.#mean);
    for (let step = 0; step < steps; step++) {
      const next = this.#weights.reduce(
        (sum, weight, lag) => sum + weight * recent.at(-1 - lag)!,
        0,
      );
      recent.push(next);
    }
    return Math.max(0, this.#mean + recent.at(-1)!);
  }
}

/** Coefficients of lags 1 to `most` of a series around 0; all 0 where it does not move. */
function yuleWalker(series: readonly number[], most: number): number[] {
  const at = (lag: number) => {
    let sum = 0;
    for (let i = lag; i < series.length; i++) sum += series[i] * series[i - lag];
    return sum / series.length;
  };
  const r = Array.from({ length: most + 1 }, (_, lag) => at(lag));
  let weights: number[] = [];
  let left = r[0];
  for (let k = 1; k <= most; k++) {
    if (left <= 1e-12 * r[0] || r[0] === 0) break;
    const reflection = (r[k] - weights.reduce((sum, w, i) => sum + w * r[k - 1 - i], 0)) / left;
    weights = [...weights.map((w, i) => w - reflection * weights[k - 2 - i]), reflection];
    left *= 1 - reflection ** 2;
  }
  return [...weights, ...Array.from({ length: most - weights.length }, () => 0)];
}
