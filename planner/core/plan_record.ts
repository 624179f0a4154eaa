import type { WorkerRank } from "@pixii/wire";
import type { Counts } from "./capacity/need.ts";
import type { Mix } from "./capacity/service_goal.ts";
import type { ForecasterName } from "./forecast/forecaster.ts";
import type { Role } from "./observation.ts";

/** One thing to do. */
export type PlanMove =
  | {
    readonly kind: "flip";
    readonly model: string;
    readonly rank: WorkerRank;
    readonly from: Role;
    readonly to: Role;
    readonly reason: string;
  }
  | { readonly kind: "start"; readonly model: string; readonly role: Role; readonly reason: string }
  | {
    readonly kind: "stop";
    readonly model: string;
    readonly rank: WorkerRank;
    readonly role: Role;
    readonly reason: string;
  };

/** One set of workers that was thought of. */
export interface PlanCandidate {
  readonly name: "keep" | "need" | "budget";
  readonly counts: Counts;
  readonly gpus: number;
  /** Requests per second that it serves within the goal, of those foretold: 0..1. */
  readonly goodput: number;
}

/** Why the planner did what it did for one model at one time; plain data, so that it can be kept, read and made again. */
export interface PlanRecord {
  /** Rises by 1 with every record of a planner. */
  readonly id: number;
  readonly atMs: number;
  readonly model: string;
  readonly loop: "predictive" | "reactive";
  /** What is asked now, and what it was planned for. */
  readonly now: Mix | undefined;
  readonly planned: Mix | undefined;
  readonly forecast: {
    readonly name: ForecasterName;
    readonly rate: number;
    readonly error: number | undefined;
    readonly aheadMs: number;
  } | undefined;
  readonly have: Counts;
  readonly want: Counts;
  readonly candidates: readonly PlanCandidate[];
  /** What kept it from doing more, or why it did nothing, in words. */
  readonly bound: string;
  readonly moves: readonly PlanMove[];
  /** Requests per second within the goal that the moves should bring. */
  readonly expectedRate: number;
  /** What came of it: filled in once the moves had their time. */
  readonly outcome?: {
    readonly atMs: number;
    readonly ttftP95Ms?: number;
    readonly itlP95Ms?: number;
  };
}
