import type { Metrics } from "@pixii/runtime";
import type { HostTotals } from "./kv_store/kv_store.ts";

/** The worker's metrics; every name is listed here once. */
export function workerMetrics(metrics: Metrics) {
  return {
    requests: metrics.counter("pixii_worker_requests_total", "Streams taken or refused", [
      "result",
    ]),
    finished: metrics.counter("pixii_worker_finished_total", "Streams ended", ["reason"]),
    outputTokens: metrics.counter("pixii_worker_output_tokens_total", "Tokens generated"),
    promptTokens: metrics.counter("pixii_worker_prompt_tokens_total", "Prompt tokens taken"),
    cachedTokens: metrics.counter(
      "pixii_worker_cached_tokens_total",
      "Prompt tokens taken from KV instead of being computed",
      ["tier"],
    ),
    frames: metrics.counter("pixii_worker_step_frames_total", "Step frames published"),
    lostFrames: metrics.counter(
      "pixii_worker_step_frames_lost_total",
      "Step frames the bus did not take; frontends resume",
    ),
    kvBatches: metrics.counter("pixii_worker_kv_event_batches_total", "KV event batches published"),
    resumes: metrics.counter("pixii_worker_resumes_total", "Streams sent again", ["cause"]),
    expired: metrics.counter("pixii_worker_streams_expired_total", "Streams nobody renewed"),
    running: metrics.gauge("pixii_worker_running_requests", "Sequences in the running batch"),
    waiting: metrics.gauge("pixii_worker_waiting_requests", "Requests waiting for a place"),
    prefillTokens: metrics.gauge("pixii_worker_active_prefill_tokens", "Prompt tokens to compute"),
    blocks: metrics.gauge("pixii_worker_kv_blocks", "KV blocks of the device tier", ["state"]),
    flips: metrics.counter("pixii_worker_role_flips_total", "Changes of role that ended", [
      "result",
      "to",
    ]),
    steps: metrics.gauge("pixii_worker_engine_steps", "Engine steps since start"),
  };
}

/** The worker's metrics. */
export type WorkerMetrics = ReturnType<typeof workerMetrics>;

/** Metrics of a worker's host tier. `totals` only grow; they are read at each exposition. */
export function hostTierMetrics(metrics: Metrics, totals: Readonly<HostTotals>): void {
  const blocks = metrics.counter(
    "pixii_worker_host_blocks_total",
    "KV blocks between device and host tier, by what became of them",
    ["event"],
  );
  const seconds = metrics.counter(
    "pixii_worker_host_seconds_total",
    "Time of the engine's thread that moving blocks took",
    ["direction"],
  );
  const steps = metrics.counter(
    "pixii_worker_host_step_seconds_total",
    "Time of the engine's steps beside a host tier, and what of it went into blocks",
    ["part"],
  );
  const ends = metrics.counter(
    "pixii_worker_prompt_ends_total",
    "Prompts' ends in the host tier: with one and its blocks a prompt is not computed",
    ["event"],
  );
  const told: HostTotals = { ...totals };
  metrics.onCollect(() => {
    for (const event of ["offloaded", "dropped", "onboarded", "unusable", "damaged"] as const) {
      blocks.add(totals[event] - told[event], { event });
    }
    ends.add(totals.endsKept - told.endsKept, { event: "kept" });
    ends.add(totals.endsTaken - told.endsTaken, { event: "taken" });
    seconds.add((totals.offloadMs - told.offloadMs) / 1000, { direction: "offload" });
    seconds.add((totals.onboardMs - told.onboardMs) / 1000, { direction: "onboard" });
    steps.add((totals.stepMs - told.stepMs) / 1000, { part: "all" });
    steps.add((totals.blocksMs - told.blocksMs) / 1000, { part: "blocks" });
    Object.assign(told, totals);
  });
}
