/** What a simulated cluster is made of, and what is asked of it. */
export interface SimShape {
  readonly seed: number;
  readonly frontends: number;
  readonly routers: number;
  readonly planners: number;
  readonly workers: number;
  /** Flags of each service, as its own command line takes them. */
  readonly args: Readonly<Record<"router" | "planner" | "worker", readonly string[]>>;
  readonly minutes: number;
  /** Longest a request may take. */
  readonly deadlineMs: number;
  /** Bounds that the args set: requests that wait in a router, streams at a rank. */
  readonly mostQueued: number;
  readonly mostAtRank: number;
  /** Part of the requests whose client goes away before the end, and of those that have a stop token. */
  readonly cancels: number;
  readonly stops: number;
}

/** The name under which the simulated model is served. */
export const simModel = "sim";

/** Names of the programs that faults can hit. */
export function programNames(shape: SimShape): readonly string[] {
  const counts = [
    ["frontend", shape.frontends],
    ["router", shape.routers],
    ["planner", shape.planners],
    ["worker", shape.workers],
  ] as const;
  return counts.flatMap(([service, count]) =>
    Array.from({ length: count }, (_, i) => `${service}-${i}`)
  );
}
