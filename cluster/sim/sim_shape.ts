import { modelHashOf } from "@pixii/wire";
import type { ModelHash, Role } from "@pixii/wire";

/** What a simulated cluster is made of, and what is asked of it. */
export interface SimShape {
  readonly seed: number;
  readonly frontends: number;
  readonly routers: number;
  readonly planners: number;
  /** What each worker starts as, whenever it starts. */
  readonly roles: readonly Role[];
  /** Blocks of the host tier that all workers share; 0 = there is none. */
  readonly hostBlocks: number;
  /** How much faster than its model of time each worker is; a slow one reads and writes the tier slowly too. */
  readonly speed: number;
  /** Ranks of each worker. */
  readonly ranks: number;
  /** Flags of each service, as its own command line takes them. */
  readonly args: Readonly<Record<"router" | "planner" | "worker", readonly string[]>>;
  readonly minutes: number;
  /** Longest a request may take. */
  readonly deadlineMs: number;
  /** Bounds that the args set: requests that wait in a router, streams at a rank. */
  readonly mostQueued: number;
  readonly mostAtRank: number;
  /** How planners act; absent where they only watch. */
  readonly acting?: ActingShape;
  /** Part of the requests whose client goes away before the end, and of those that have a stop token. */
  readonly cancels: number;
  readonly stops: number;
}

/** How the planners of a simulated cluster act, and what operators tell them. */
export interface ActingShape {
  /** Mean time between two orders of operators; Infinity = there are none. */
  readonly orderEveryMs: number;
  /** Longest change of a role, and how often planners look. */
  readonly boundMs: number;
  readonly reactiveMs: number;
  /** Most ranks that planners may want; Infinity = as many as there are. */
  readonly budgetGpus: number;
}

/** Tokens of a block of the simulated workers. */
export const simBlockSize = 64;

/** The name under which the simulated model is served. */
export const simModel = "sim";

/** The hash of that name. */
export const simModelHash: ModelHash = modelHashOf(simModel);

/** Names of the programs that faults can hit. */
export function programNames(shape: SimShape): readonly string[] {
  const counts = [
    ["frontend", shape.frontends],
    ["router", shape.routers],
    ["planner", shape.planners],
    ["kvbm", shape.hostBlocks > 0 ? 1 : 0],
    ["worker", shape.roles.length],
  ] as const;
  return counts.flatMap(([service, count]) =>
    Array.from({ length: count }, (_, i) => `${service}-${i}`)
  );
}
