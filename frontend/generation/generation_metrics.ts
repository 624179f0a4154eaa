import type { Metrics } from "@pixii/runtime";

/** Metrics of models and streams; every name is listed here once. Times in seconds. */
export function generationMetrics(metrics: Metrics) {
  return {
    live: metrics.gauge("pixii_frontend_live_streams", "Streams that have not ended"),
    attempts: metrics.counter(
      "pixii_frontend_attempts_total",
      "Generate requests sent to workers, by answer",
      ["result"],
    ),
    migrations: metrics.counter(
      "pixii_frontend_migrations_total",
      "Accepted streams that went on at another attempt",
      ["reason"],
    ),
    ended: metrics.counter("pixii_frontend_streams_ended_total", "Streams ended", ["reason"]),
    resumes: metrics.counter("pixii_frontend_resumes_total", "Resume requests", ["cause"]),
    unknownTags: metrics.counter(
      "pixii_frontend_unknown_entries_total",
      "Step-frame entries of streams that are over here",
    ),
    badFrames: metrics.counter("pixii_frontend_bad_frames_total", "Inbox messages not understood"),
    fallback: metrics.counter(
      "pixii_frontend_router_fallback_total",
      "Requests placed without a router",
    ),
    routeSeconds: metrics.histogram(
      "pixii_frontend_route_seconds",
      "Time until a router answered",
      [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
    ),
    queued: metrics.counter(
      "pixii_frontend_queued_total",
      "Requests that waited in a router's queue, by how the wait ended",
      ["end"],
    ),
    queueSeconds: metrics.histogram(
      "pixii_frontend_queue_seconds",
      "Time in a router's queue",
      [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    ),
    wakeWaiting: metrics.gauge(
      "pixii_frontend_wake_waiting_requests",
      "Requests that wait for a model that sleeps or is being started",
    ),
    wakes: metrics.counter(
      "pixii_frontend_wake_waits_total",
      "Requests that waited for a model to be started, by how the wait ended",
      ["model", "end"],
    ),
    wakeSeconds: metrics.histogram(
      "pixii_frontend_wake_seconds",
      "Time that a request waited for its model to be started",
      [0.1, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600],
    ),
    ledgerLost: metrics.counter(
      "pixii_frontend_ledger_entries_lost_total",
      "Ledger entries dropped because the bus was away too long",
    ),
    artifacts: metrics.counter(
      "pixii_frontend_artifact_fetches_total",
      "Vocabulary artifacts fetched from workers, by result",
      ["result"],
    ),
  };
}

/** Metrics of models and streams. */
export type GenerationMetrics = ReturnType<typeof generationMetrics>;
