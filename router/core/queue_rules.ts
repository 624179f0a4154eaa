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
  /** Part of a rank's KV blocks that running requests hold; 0 = no bound. */
  readonly blocks: number;
}

/** Lanes of one model: sets of requests that may go to the same workers. Over it a new kind of request is refused. */
export const mostLanes = 64;
/** A waiting request whose workers all left is told so after this. */
export const unplaceableMs = 3_000;
/** One place of so many goes to whoever waited longest, whatever its tenant and priority. */
export const agedTurn = 4;
