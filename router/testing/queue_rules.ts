import type { QueueRules } from "../core/queue_rules.ts";

/** Rules of a queue: 8 requests, 10,000 tokens, no extra requests at a rank, unless said otherwise. */
export function queueRules(more: Partial<QueueRules> = {}): QueueRules {
  return {
    busy: { waitingPerRank: 0, prefillTokens: 0, blocks: 0 },
    ...{ maxRequests: 8, maxTokens: 10_000, tenantShare: 1, maxWaitMs: 60_000 },
    ...{ priorityStepMs: 100, agedMs: 10_000, cachedWeight: 0.1, outputWeight: 2 },
    ...more,
  };
}
