import type { Metrics } from "@pixii/runtime";

/** Metrics of what keeps the index honest; every name is listed here once. */
export function truthMetrics(metrics: Metrics) {
  return {
    audits: metrics.counter(
      "pixii_router_audits_total",
      "Truth audits; unclear: the answer is of another moment than what is known here",
      ["result"],
    ),
    auditBlocks: metrics.counter(
      "pixii_router_audit_blocks_total",
      "Blocks that audits compared; gone: the index credited a worker with what it does not hold",
      ["result"],
    ),
    trust: metrics.gauge(
      "pixii_router_trust",
      "Event sources by how far they are believed: exact in full, degraded half, off not at all",
      ["state"],
    ),
    trustChanges: metrics.counter("pixii_router_trust_changes_total", "Changes of trust", ["to"]),
    hashProofs: metrics.gauge(
      "pixii_router_hash_proofs",
      "Worker ranks by what their cards prove of their block hashes; foreign ones get no credit",
      ["proof"],
    ),
    countedBack: metrics.counter(
      "pixii_router_counted_back_total",
      "Publishers that counted their events from the start again without a new epoch",
    ),
    approxBlocks: metrics.gauge(
      "pixii_router_approx_blocks",
      "Blocks that engines without events are supposed to hold",
    ),
    approxChanges: metrics.counter(
      "pixii_router_approx_changes_total",
      "Blocks that began or ceased to be supposed",
      ["why"],
    ),
    peerSnapshots: metrics.counter(
      "pixii_router_peer_snapshots_total",
      "Snapshots of this router that siblings asked for; shared: one that others wait for, too",
      ["result"],
    ),
    restores: metrics.counter(
      "pixii_router_restores_total",
      "Snapshots that this router asked siblings for, or read from its file",
      ["from", "result"],
    ),
    restoredSources: metrics.counter(
      "pixii_router_restored_sources_total",
      "Restored event sources by whether they joined their live stream; others are asked themselves",
      ["result"],
    ),
    snapshotWrites: metrics.counter(
      "pixii_router_snapshot_writes_total",
      "Snapshot files written",
      ["result"],
    ),
  };
}
