import type { LoadReport, WorkerRank, WorkerTimes } from "@pixii/wire";

/** What a worker does. */
export type Role = LoadReport["role"];

/**
 * How a worker is: `live` takes work; `starting` will; `flipping` changes its role and counts for the new one; `draining`
 * ends; `stale` was not heard of lately and is supposed to do what it did, until it is dead.
 */
export type WorkerState = "live" | "starting" | "flipping" | "draining" | "stale";

/** One worker rank as the planner sees it. */
export interface SeenWorker {
  readonly rank: WorkerRank;
  readonly role: Role;
  readonly state: WorkerState;
  /** Sequences it computes, and that wait there. */
  readonly running: number;
  readonly waiting: number;
  /** Blocks that live sequences hold, kept ones, all. */
  readonly activeBlocks: number;
  readonly cachedBlocks: number;
  readonly totalBlocks: number;
}

/** What is asked of a model, over the last seconds. Numbers that are not finite, or below 0, count as not seen. */
export interface SeenDemand {
  /** Length of the window that the means are over, ms. */
  readonly windowMs: number;
  /** Requests per second. */
  readonly rate: number;
  /** Mean prompt tokens, how many of them had to be computed, and mean output tokens, of the requests in the window. */
  readonly isl: number | undefined;
  readonly newTokens: number | undefined;
  readonly osl: number | undefined;
  /** Requests that ended, per second; absent where that is not known. */
  readonly doneRate?: number;
  /** Requests that wait anywhere: at frontends for a worker, at routers and at workers. */
  readonly waiting: number;
  /** 95th percentiles, queue included, where any request had one. */
  readonly ttftP95Ms?: number;
  readonly itlP95Ms?: number;
  /** Of the requests that ended in the last few steps: shares whose first token came late, and whose further ones did, 0..1. */
  readonly lateFirst?: number;
  readonly lateNext?: number;
  /** Share of prompt tokens that caches had, 0..1. */
  readonly hitRate?: number;
}

/** One model. */
export interface SeenModel {
  readonly model: string;
  readonly workers: readonly SeenWorker[];
  /** Absent where no frontend said anything lately. */
  readonly demand: SeenDemand | undefined;
  /** Measured times of one worker; without them nothing can be planned. */
  readonly times: WorkerTimes | undefined;
  /** Since when nobody asked for it and nothing of it was computed, ms; absent where that is not known. */
  readonly idleMs?: number;
  readonly maxSeqs: number;
  readonly kvTokens: number;
}

/** Everything that is seen at one time. */
export interface Observation {
  /** Of a clock that never runs backwards; where it does the observation is passed over. */
  readonly nowMs: number;
  readonly models: readonly SeenModel[];
  /** A look between two steps: models wake, sleep or give way to others, nothing else is planned. */
  readonly isEarly?: boolean;
  /** Moves of this step are made by nobody who hears of them from here: another planner acts, or none. */
  readonly watchesOnly?: boolean;
}
