import type { RouteDesk } from "./core/route_desk.ts";
import type { RouterState } from "./core/router_state.ts";
import type { RouterMetrics } from "./metrics.ts";
import { rankState, rankStates } from "./views.ts";

/** States of event sources, for gauges. */
const sourceStates = ["new", "exact", "behind", "degraded"] as const;

/** How many event sources are in which state. */
export function sourceCounts(
  { streams }: RouterState,
): Record<typeof sourceStates[number], number> {
  const counts = { new: 0, exact: 0, behind: 0, degraded: 0 };
  for (const { stream } of streams.all()) counts[stream.state] += 1;
  return counts;
}

/** Sets the gauges of the queues. */
export function setQueueGauges(metrics: RouterMetrics, state: RouterState, desk: RouteDesk): void {
  for (const [hash, queue] of desk.queues) {
    const model = state.fleet.models.get(hash)?.name ?? hash;
    metrics.queuePending.set(queue.size, { model });
    metrics.queuePendingTokens.set(queue.tokens, { model });
  }
}

/** Sets the gauges: what is read off the state when somebody asks. */
export function setGauges(metrics: RouterMetrics, state: RouterState, nowMs: number): void {
  const { streams, ledger, fleet, sessions } = state;
  metrics.indexBlocks.set(streams.budget.usedBlocks);
  metrics.indexBytes.set(streams.budget.usedBytes);
  metrics.indexCapacity.set(streams.budget.capacityBytes);
  metrics.indexEvicted.set(streams.budget.evictedBlocks);
  const counts = sourceCounts(state);
  for (const name of sourceStates) metrics.indexSources.set(counts[name], { state: name });
  metrics.ledgerBookings.set(ledger.size - ledger.unconfirmed, { state: "confirmed" });
  metrics.ledgerBookings.set(ledger.unconfirmed, { state: "unconfirmed" });
  metrics.sessions.set(sessions.size);
  const ranks = [...fleet.models.values()].flatMap((model) => model.ranks);
  const states = ranks.map((rank) => rankState(state, rank, nowMs));
  for (const name of rankStates) {
    metrics.workers.set(states.filter((one) => one === name).length, { state: name });
  }
}
