import type { Metrics } from "@pixii/runtime";

/** Seconds that a request waits in the queue. */
const queueBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** The metrics of the queue; every name is listed here once. */
export function queueMetrics(metrics: Metrics) {
  return {
    queued: metrics.counter("pixii_router_queued_total", "Requests that had to wait for a worker"),
    queueEnded: metrics.counter(
      "pixii_router_queue_ended_total",
      "Waits ended: placed, cancelled, or the code they were refused with",
      ["result"],
    ),
    queueSeconds: metrics.histogram(
      "pixii_router_queue_seconds",
      "Time that a request waited for a worker, until placed or refused",
      queueBuckets,
    ),
    queuePending: metrics.gauge("pixii_router_queue_pending_requests", "Requests that wait", [
      "model",
    ]),
    queuePendingTokens: metrics.gauge(
      "pixii_router_queue_pending_isl_tokens",
      "Prompt tokens of the requests that wait",
      ["model"],
    ),
  };
}
