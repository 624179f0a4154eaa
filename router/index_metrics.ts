import type { Metrics } from "@pixii/runtime";

/** Seconds that one snapshot takes, from the request to the swap. */
const snapshotBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];

/** What the router's index and the events that feed it are measured by. */
export function indexMetrics(metrics: Metrics) {
  return {
    indexBlocks: metrics.gauge("pixii_router_index_blocks", "Block copies indexed"),
    indexBytes: metrics.gauge("pixii_router_index_bytes", "Memory of the indexes"),
    indexCapacity: metrics.gauge("pixii_router_index_capacity_bytes", "Memory they may take"),
    indexEvicted: metrics.gauge(
      "pixii_router_index_evicted_blocks",
      "Block copies forgotten for want of memory, since the start",
    ),
    indexSources: metrics.gauge("pixii_router_index_sources", "Event sources by state", ["state"]),
    indexFull: metrics.counter(
      "pixii_router_index_full_total",
      "Times that a source's blocks were given up because the index was full",
    ),
    eventBatches: metrics.counter("pixii_router_event_batches_total", "KV event batches heard", [
      "result",
    ]),
    gaps: metrics.counter("pixii_router_event_gaps_total", "Times that a source fell behind", [
      "cause",
    ]),
    snapshots: metrics.counter("pixii_router_snapshots_total", "Snapshots asked for", ["result"]),
    snapshotSeconds: metrics.histogram(
      "pixii_router_snapshot_seconds",
      "Time of a snapshot that was taken over",
      snapshotBuckets,
    ),
  };
}
