import type { Metrics } from "@pixii/runtime";

const seconds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const tokens = [1, 4, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 65536];

/** The HTTP edge's metrics; every name is listed here once. Times in seconds. */
export function frontendMetrics(metrics: Metrics) {
  const perModel = ["model"];
  return {
    requests: metrics.counter("pixii_frontend_requests_total", "Answered requests", [
      "endpoint",
      "model",
      "status",
    ]),
    inflight: metrics.gauge("pixii_frontend_inflight_requests", "Requests in work", ["endpoint"]),
    disconnected: metrics.counter(
      "pixii_frontend_disconnected_clients_total",
      "Clients that left or read too slowly before their answer was whole",
      ["why"],
    ),
    inputTokens: metrics.histogram(
      "pixii_frontend_input_sequence_tokens",
      "Prompt tokens of a request",
      tokens,
      perModel,
    ),
    outputTokens: metrics.histogram(
      "pixii_frontend_output_sequence_tokens",
      "Output tokens of a request, all choices",
      tokens,
      perModel,
    ),
    cachedTokens: metrics.counter(
      "pixii_frontend_cached_tokens_total",
      "Prompt tokens that workers took from KV",
      perModel,
    ),
    firstToken: metrics.histogram(
      "pixii_frontend_time_to_first_token_seconds",
      "From the whole body to the first text",
      seconds,
      perModel,
    ),
    interToken: metrics.histogram(
      "pixii_frontend_inter_token_latency_seconds",
      "Mean time between the output tokens of a request, after its first",
      [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
      perModel,
    ),
    duration: metrics.histogram(
      "pixii_frontend_request_duration_seconds",
      "From the whole body to the end of the answer",
      seconds,
      perModel,
    ),
  };
}

/** The HTTP edge's metrics. */
export type FrontendMetrics = ReturnType<typeof frontendMetrics>;
