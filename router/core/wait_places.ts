import type { ModelHash } from "@pixii/wire";
import { Claims } from "./claims.ts";

/** Where requests of one model wait for the workers that suit them best. */
export interface WaitPlace {
  /** Of those who waited at the last pass, and came since. */
  readonly claims: Claims;
  /** Those who come before this are looked at together, then. */
  gatheredMs: number;
}

/** The places of all models; one stays once somebody had to wait. Pure: time is an argument. */
export class WaitPlaces {
  readonly #places = new Map<ModelHash, WaitPlace>();

  /** The place of a model. O(1). */
  of(model: ModelHash): WaitPlace {
    let place = this.#places.get(model);
    if (place === undefined) {
      this.#places.set(model, place = { claims: new Claims(), gatheredMs: -Infinity });
    }
    return place;
  }

  /** When the next requests that are gathered are looked at; infinite where none are. O(models). */
  nextReadyMs(nowMs: number): number {
    let leastMs = Infinity;
    for (const { gatheredMs } of this.#places.values()) {
      if (gatheredMs > nowMs) leastMs = Math.min(leastMs, gatheredMs);
    }
    return leastMs;
  }
}
