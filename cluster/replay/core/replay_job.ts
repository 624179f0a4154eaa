import type { KvEvent } from "@pixii/wire";
import type { ReplayRequest } from "./replay_request.ts";

/** A request at a worker. */
export interface ReplayJob {
  readonly request: ReplayRequest;
  /** Place in the trace. */
  readonly index: number;
  readonly atMs: number;
  /** When it came to its worker; later than `atMs` where it waited in the router's queue. */
  readonly placedMs: number;
}

/** Who hears what a worker does; called in the order in which it happens at that worker. */
export interface JobSink {
  /** The prompt is computed; `cachedTokens` of it were found on the worker. */
  firstToken(job: ReplayJob, atMs: number, cachedTokens: number): void;
  /** The last token is said. */
  ended(job: ReplayJob, atMs: number): void;
  /** `count` tokens came, each `gapMs` after the one before of its stream. */
  tokens(gapMs: number, count: number): void;
  /** Blocks came or went; the views are valid during the call only. */
  events(events: readonly KvEvent[], atMs: number): void;
}

/** A simulated worker in virtual time. */
export interface ReplayWorker {
  /** Takes a request that comes at `job.placedMs`; `advance` was called with that time. */
  submit(job: ReplayJob): void;
  /** Does everything that happens up to and at `nowMs`. */
  advance(nowMs: number): void;
  /** When something ends next; infinite where nothing is under way. */
  readonly nextMs: number;
  /** Milliseconds for which it computed. */
  readonly busyMs: number;
  /** Throws where the books do not add up. */
  checkIntegrity(): void;
}

/** In which order a worker serves those that wait. */
export const lineOrders = ["fcfs", "shortest"] as const;
/** In which order a worker serves those that wait. */
export type LineOrder = typeof lineOrders[number];

/** How requests wait at the router. */
export const lineHolds = ["off", "room", "best", "shortest", "gathered"] as const;
/** How requests wait at the router. */
export type LineHold = typeof lineHolds[number];

/** A millisecond of waiting makes up for so many milliseconds of work in order `shortest`: nobody waits for ever. */
export const ageingShare = 0.1;
