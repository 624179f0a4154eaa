import { WorkerTimes } from "@pixii/wire";
import type { WorkerProfile } from "@pixii/wire";

/** How long a worker takes, as predictions need it; `WorkerTimes` is one. Milliseconds, never negative. */
export interface TtftTimes {
  /** Computing `newTokens` of a prompt behind `contextTokens` that are there. */
  prefillMs(newTokens: number, contextTokens: number): number;
  /** One step that decodes `sequences` tokens over `contextTokens` of context in all. */
  decodeStepMs(sequences: number, contextTokens: number): number;
  /** Bringing blocks back from a tier; undefined where that is not known. */
  onboardMs(tier: "host" | "disk", size: {
    readonly blocks: number;
    readonly blockSize: number;
  }): number | undefined;
}

/** Profiles are plain data on cards and in records: what is made of one is made once. */
const known = new WeakMap<WorkerProfile, WorkerTimes>();

/** The times of a measured profile. O(its points) the first time, O(1) after. */
export function timesOfProfile(profile: WorkerProfile): TtftTimes {
  let times = known.get(profile);
  if (times === undefined) known.set(profile, times = new WorkerTimes(profile));
  return times;
}

/** The times of a worker of which only a prefill rate is known, in tokens per second (> 0): decode costs nothing. */
export function timesOfRate(tokensPerSecond: number): TtftTimes {
  const tokenMs = 1000 / tokensPerSecond;
  return {
    prefillMs: (newTokens) => Math.max(0, newTokens) * tokenMs,
    decodeStepMs: () => 0,
    onboardMs: () => undefined,
  };
}
