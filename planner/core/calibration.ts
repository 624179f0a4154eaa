/** Share of the requests that may miss one of the two goals in the long run; both together stay below 1 of 100. */
const aim = 0.003;
/** How much more room a step with all requests late makes, as a share of the load: at first, and at least. */
const [firstGain, leastGain] = [0.03, 0.01] as const;
/** Half of the first gain is left after so many steps, an hour of steps of 5 s, a third after twice as many, and so on. */
const halfSteps = 720;
/** More than this share tells no more: it is a disaster, which has its own reasons. */
const mostLate = 0.5;
/** Bounds of the room, so that neither luck nor a disaster is learned from for ever. */
const [leastRoom, mostRoom] = [-0.25, 0.3] as const;

/**
 * Room that one phase needs beyond what its measured times say, learned from what came of it: each late request makes a
 * little more of it, each one in time takes a far smaller part of it back, so that in the long run the aimed share is late
 * (an integral controller). What a profile, the formulas or the forecasts get wrong is evened out by it. It learns quickly
 * while it knows little and slowly later on, in steps that get smaller as 1 / n (Robbins and Monro, "A Stochastic
 * Approximation Method", 1951) down to a least one, since loads change. Pure.
 */
export class Calibration {
  /** As a share of the load; below 0 where less is enough than the formulas say. */
  room = 0;
  #taken = 0;

  /** Takes a step's share of late requests, 0..1; shares that are no numbers are passed over. */
  take(lateShare: number | undefined): void {
    if (lateShare === undefined || !(lateShare >= 0 && lateShare <= 1)) return;
    this.#taken += 1;
    const gain = Math.max(leastGain, firstGain * halfSteps / (halfSteps + this.#taken));
    this.room = Math.max(
      leastRoom,
      Math.min(mostRoom, this.room + gain * (Math.min(mostLate, lateShare) - aim)),
    );
  }
}
