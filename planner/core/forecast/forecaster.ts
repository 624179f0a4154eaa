/** Names of the forecasters, in the order in which a tie between them is decided. */
export const forecasterNames = ["constant", "kalman", "ar", "holt-winters"] as const;
/** One of the forecasters. */
export type ForecasterName = typeof forecasterNames[number];

/**
 * Foretells a series of values at equal intervals (rates, lengths: never below 0). Values come one by one; the state is
 * small and old values are forgotten. Nothing here knows how long an interval is.
 */
export interface Forecaster {
  readonly name: ForecasterName;
  /** Takes the next value of the series. Throws where it is not a finite number of at least 0. */
  observe(value: number): void;
  /** The value `steps` (1 or more) after the last one; `undefined` while it has seen too little. Never below 0. */
  forecast(steps: number): number | undefined;
}

/** Checks what a forecaster is told: a programmer's mistake else, since observations are cleaned before. */
export function checkValue(value: number): void {
  if (!(Number.isFinite(value) && value >= 0)) {
    throw new RangeError(`A series has finite values of at least 0, got ${value}`);
  }
}
