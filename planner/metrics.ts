import type { Metrics } from "@pixii/runtime";

/** The planner's metrics; every name is listed here once. */
export function plannerMetrics(metrics: Metrics) {
  const perRole = ["role"];
  return {
    reports: metrics.counter("pixii_planner_load_reports_total", "Load reports read"),
    badReports: metrics.counter(
      "pixii_planner_load_reports_bad_total",
      "Messages on the load subjects that were no load report",
    ),
    badDemand: metrics.counter(
      "pixii_planner_demand_reports_bad_total",
      "Messages on the demand subjects that were no demand report",
    ),
    workers: metrics.gauge("pixii_planner_workers", "Worker ranks by how fresh their report is", [
      "state",
    ]),
    replicas: metrics.gauge("pixii_planner_num_replicas", "Fresh worker ranks", perRole),
    running: metrics.gauge(
      "pixii_planner_observed_running_requests",
      "Sequences in running batches",
      perRole,
    ),
    waiting: metrics.gauge(
      "pixii_planner_observed_waiting_requests",
      "Requests waiting for a place",
      perRole,
    ),
    moves: metrics.counter("pixii_planner_moves_total", "Moves, by whether they were asked for", [
      "kind",
      "result",
    ]),
    flips: metrics.counter("pixii_planner_role_flips_total", "Changes of role that ended", [
      "result",
    ]),
    decisions: metrics.counter(
      "pixii_planner_decisions_total",
      "Decisions, one per model and step",
      [
        "loop",
      ],
    ),
    leader: metrics.gauge("pixii_planner_is_leader", "1 = this planner may act"),
    targets: metrics.gauge("pixii_planner_target_replicas", "Workers wanted", ["model", "role"]),
    forecastRate: metrics.gauge(
      "pixii_planner_forecast_request_rate",
      "Requests per second that are foretold",
      [
        "model",
      ],
    ),
    forecastError: metrics.gauge(
      "pixii_planner_forecast_error_ratio",
      "Error of the forecast in its backtest",
      [
        "model",
      ],
    ),
    expectedRate: metrics.gauge(
      "pixii_planner_expected_goodput_rate",
      "Requests per second within the goal that are expected",
      [
        "model",
      ],
    ),
    queuedPrefillTokens: metrics.gauge(
      "pixii_planner_engine_queued_prefill_tokens",
      "Prompt tokens accepted and not yet computed",
      perRole,
    ),
  };
}

/** The planner's metrics. */
export type PlannerMetrics = ReturnType<typeof plannerMetrics>;
