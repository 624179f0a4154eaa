import { checkValue } from "./forecaster.ts";
import type { Forecaster } from "./forecaster.ts";

/** How fast level and trend drift, and how noisy values are, as shares of the level: variances are these squared. */
export interface KalmanNoise {
  readonly level: number;
  readonly trend: number;
  readonly value: number;
}

const usualNoise: KalmanNoise = { level: 0.05, trend: 0.01, value: 0.1 };
/** Values seen before it says anything. */
const fewest = 3;
/** A trend is followed for so many steps, a little less each (damped as in Gardner and McKenzie 1985). */
const damping = 0.9;

/**
 * Local linear trend by a Kalman filter (Harvey, "Forecasting, Structural Time Series Models and the Kalman Filter",
 * 1989): state (level, trend), noise that grows with the level, as arrivals' does.
 */
export class KalmanForecast implements Forecaster {
  readonly name = "kalman";
  readonly #noise: KalmanNoise;
  #level = 0;
  #trend = 0;
  /** Covariance of (level, trend): [level, both, trend]. */
  #p: readonly [number, number, number] = [0, 0, 0];
  #seen = 0;

  constructor(noise: KalmanNoise = usualNoise) {
    this.#noise = noise;
  }

  observe(value: number): void {
    checkValue(value);
    this.#seen += 1;
    const scale = Math.max(this.#seen === 1 ? value : this.#level, 1e-9) ** 2;
    if (this.#seen === 1) {
      this.#level = value;
      this.#p = [scale * this.#noise.value ** 2, 0, scale * this.#noise.trend ** 2];
      return;
    }
    const { level: drift, trend: turn, value: noise } = this.#noise;
    const [a, b, c] = this.#p;
    const ahead = this.#level + this.#trend;
    const pa = a + 2 * b + c + scale * drift ** 2;
    const pb = b + c;
    const pc = c + scale * turn ** 2;
    const gainLevel = pa / (pa + scale * noise ** 2);
    const gainTrend = pb / (pa + scale * noise ** 2);
    const wrong = value - ahead;
    this.#level = Math.max(0, ahead + gainLevel * wrong);
    this.#trend += gainTrend * wrong;
    this.#p = [(1 - gainLevel) * pa, (1 - gainLevel) * pb, pc - gainTrend * pb];
  }

  forecast(steps: number): number | undefined {
    if (this.#seen < fewest) return undefined;
    const reach = damping * (1 - damping ** steps) / (1 - damping);
    return Math.max(0, this.#level + this.#trend * reach);
  }
}
