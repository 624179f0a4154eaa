import type { Metrics } from "@pixii/runtime";
import { totalCounter } from "../total_counter.ts";
import { pullFailures } from "./peer_counts.ts";
import type { PeerCounts } from "./peer_counts.ts";
import type { PeerFacts } from "./peer_source.ts";

/** What the metrics read at each exposition; nothing where there is no host tier. */
export interface MeasuredPeers {
  facts(): {
    readonly askers: number;
    readonly counts: PeerCounts;
    readonly peers: readonly PeerFacts[];
  } | undefined;
}

/** Metrics of what goes between block managers; every name is listed here once. */
export function peerMetrics(metrics: Metrics, measured: MeasuredPeers): void {
  const total = (name: string, help: string, labels: string[] = []) =>
    totalCounter(metrics, name, { help, labels });
  const blocks = total("pixii_kvbm_peer_blocks_total", "Blocks between block managers", ["way"]);
  const bytes = total("pixii_kvbm_peer_bytes_total", "Bytes of blocks between block managers", [
    "way",
  ]);
  const resumed = total(
    "pixii_kvbm_peer_resumed_total",
    "Blocks that were asked for again behind a cut",
  );
  const lost = total(
    "pixii_kvbm_peer_lost_total",
    "Blocks wanted of a peer that did not come: they are computed",
    [
      "reason",
    ],
  );
  const choices = total(
    "pixii_kvbm_peer_choices_total",
    "Choices between pulling blocks and computing them",
    ["verdict"],
  );
  const rate = metrics.gauge(
    "pixii_kvbm_peer_bytes_per_second",
    "How fast blocks come from a peer, measured",
    ["peer"],
  );
  const wait = metrics.gauge(
    "pixii_kvbm_peer_wait_seconds",
    "From a question to the first block of a peer, measured",
    ["peer"],
  );
  const queue = metrics.gauge(
    "pixii_kvbm_peer_queue_bytes",
    "Bytes wanted of peers that are to come",
  );
  const askers = metrics.gauge("pixii_kvbm_peer_askers", "Connections that ask for blocks");
  metrics.onCollect(() => {
    const facts = measured.facts();
    if (facts === undefined) return;
    const { counts, peers } = facts;
    blocks(counts.pulledBlocks, { way: "in" });
    blocks(counts.givenBlocks, { way: "out" });
    bytes(counts.pulledBytes, { way: "in" });
    bytes(counts.givenBytes, { way: "out" });
    resumed(counts.resumed);
    for (const reason of pullFailures) lost(counts.failed[reason], { reason });
    for (const verdict of ["pull", "compute"] as const) {
      choices(counts.chosen[verdict], { verdict });
    }
    for (const { kvbm, bytesPerSecond, waitMs } of peers) {
      rate.set(bytesPerSecond, { peer: kvbm });
      wait.set(waitMs / 1000, { peer: kvbm });
    }
    queue.set(peers.reduce((sum, { queuedBytes }) => sum + queuedBytes, 0));
    askers.set(facts.askers);
  });
}
