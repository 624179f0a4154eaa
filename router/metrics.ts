import type { Metrics } from "@pixii/runtime";
import { queueMetrics } from "./queue_metrics.ts";
import { indexMetrics } from "./index_metrics.ts";
import { overlapMetrics } from "./overlap_metrics.ts";
import { truthMetrics } from "./truth_metrics.ts";

/** Seconds that one decision takes, decode to encode. */
const decisionBuckets = [5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 5e-2];
/** The router's metrics; every name is listed here or in `queue_metrics.ts` once. */
export function routerMetrics(metrics: Metrics) {
  return {
    ...truthMetrics(metrics),
    ...indexMetrics(metrics),
    ...overlapMetrics(metrics),
    decisions: metrics.counter("pixii_router_decisions_total", "Requests placed", [
      "policy",
      "model",
    ]),
    decisionsFiled: metrics.counter(
      "pixii_router_decisions_file_total",
      "Lines for the decision file: written, failed, or dropped because too many waited",
      ["result"],
    ),
    reachBlocks: metrics.counter(
      "pixii_router_hit_rate_blocks_total",
      "Whole prompt blocks of placed requests: what the two below are parts of",
      ["model"],
    ),
    achievedBlocks: metrics.counter(
      "pixii_router_hit_rate_achieved_blocks_total",
      "Prompt blocks that the chosen workers held",
      ["model"],
    ),
    reachableBlocks: metrics.counter(
      "pixii_router_hit_rate_reachable_blocks_total",
      "Prompt blocks that one cache with the room of all workers would have held, estimated",
      ["model"],
    ),
    refusals: metrics.counter("pixii_router_refusals_total", "Requests not placed", ["code"]),
    decisionSeconds: metrics.histogram(
      "pixii_router_decision_seconds",
      "Time from a route request to its answer",
      decisionBuckets,
    ),
    ledgerEntries: metrics.counter("pixii_router_ledger_entries_total", "Ledger entries heard", [
      "op",
      "result",
    ]),
    ledgerBookings: metrics.gauge("pixii_router_ledger_bookings", "Live bookings", ["state"]),
    ledgerDropped: metrics.counter(
      "pixii_router_ledger_dropped_total",
      "Bookings that ended without a word of their frontend; drift: load reports proved them lost",
      ["cause"],
    ),
    reports: metrics.counter("pixii_router_load_reports_total", "Load reports heard", ["result"]),
    badMessages: metrics.counter(
      "pixii_router_bad_messages_total",
      "Messages that could not be read",
      ["kind"],
    ),
    ...queueMetrics(metrics),
    workers: metrics.gauge("pixii_router_workers", "Worker ranks by state", ["state"]),
    sessions: metrics.gauge("pixii_router_sessions", "Sessions bound to a worker"),
  };
}

/** The router's metrics. */
export type RouterMetrics = ReturnType<typeof routerMetrics>;
