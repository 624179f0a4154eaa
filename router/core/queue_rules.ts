/** When a rank is full, and how requests wait for one that is not. */
export interface QueueRules {
  readonly busy: BusyRules;
  /** Waiting requests, and their prompt tokens in all, of one model; over either the next is refused. */
  readonly maxRequests: number;
  readonly maxTokens: number;
  /** Part of both bounds that one tenant may take, in (0, 1]. */
  readonly tenantShare: number;
  /** Longest wait. */
  readonly maxWaitMs: number;
  /** What one point of priority is worth in waiting time. */
  readonly priorityStepMs: number;
  /** How much later a request counts as having come for each token of its prompt: short ones pass long ones. Left out, 0 = first come, first served. */
  readonly promptTokenMs?: number;
  /**
   * With policy `ttft` a request whose best worker is full waits for that worker, though another may have room: a late
   * choice of any worker with room loses the caches. Left out, false.
   */
  readonly waitForBest?: boolean;
  /** ... and counts as having come so many milliseconds later for each millisecond that it is predicted to compute. Left out, 0. */
  readonly workWeight?: number;
  /** ... and those that come within so many milliseconds of the first of them are looked at together. Left out, 0. */
  readonly gatherMs?: number;
  /** Every fourth place goes to whoever waited longest, once that is longer than this. */
  readonly agedMs: number;
  /** Share of a tenant's turn that a cached prompt token takes, against 1 for a computed one. */
  readonly cachedWeight: number;
  /** ... and that an output token takes. */
  readonly outputWeight: number;
}

/** When a rank takes no more requests; the router's own bookings count at once. */
export interface BusyRules {
  /** Requests at a rank beyond those it computes at a time. */
  readonly waitingPerRank: number;
  /** Prompt tokens that wait to be computed at a rank; 0 = no bound. */
  readonly prefillTokens: number;
  /** Milliseconds that the prompts at a rank still take, as far as that is predicted; left out or 0 = no bound. */
  readonly prefillMs?: number;
  /** Part of a rank's KV blocks that running requests hold; 0 = no bound. */
  readonly blocks: number;
}

/** Lanes of one model: sets of requests that may go to the same workers. Over it a new kind of request is refused. */
export const mostLanes = 64;
/** Requests of one lane that are looked at in one go while some worker has room, and each waits for a better one. */
export const mostPassedOver = 32;
/** A waiting request whose workers all left is told so after this. */
export const unplaceableMs = 3_000;
/** One place of so many goes to whoever waited longest, whatever its tenant and priority. */
export const agedTurn = 4;
