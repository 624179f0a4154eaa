import { checkValue } from "./forecaster.ts";
import type { Forecaster } from "./forecaster.ts";

/** The last value stays. Hard to beat where load moves slowly. */
export class ConstantForecast implements Forecaster {
  readonly name = "constant";
  #last: number | undefined;

  observe(value: number): void {
    checkValue(value);
    this.#last = value;
  }

  forecast(_steps: number): number | undefined {
    return this.#last;
  }
}
