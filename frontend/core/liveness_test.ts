import assert from "node:assert/strict";
import type { InstanceId, LoadReport } from "@pixii/wire";
import { Liveness } from "./liveness.ts";

const worker = "0123456789abcdef" as InstanceId;

function reportOf(more: Partial<LoadReport> = {}): LoadReport {
  return {
    ...{ instance: worker, dpRank: 0, model: "fedcba9876543210" as LoadReport["model"] },
    ...{ role: "both", draining: false, running: 2, waiting: 1, maxSeqs: 8, prefillTokens: 0 },
    ...{ activeBlocks: 0, cachedBlocks: 0, totalBlocks: 1, stepCount: 1, stepAgeMs: 0 },
    ...{ kvEventNumber: 0, activeStreams: 2, activeDigestHi: 0, activeDigestLo: 0 },
    ...{ prefillRate: 0, decodeRate: 0 },
    ...more,
  };
}

Deno.test("state() is suspect after 750 ms of silence and dead after 3 s", () => {
  const workers = new Liveness();
  assert.equal(workers.state(worker, 10_000), "live");
  workers.reported(reportOf(), 0);
  const at = [749, 750, 2_999, 3_000].map((ms) => workers.state(worker, ms));
  assert.deepEqual(at, ["live", "suspect", "suspect", "dead"]);
  workers.heard(worker, 3_100);
  assert.equal(workers.state(worker, 3_200), "live");
});

Deno.test("state() is dead as soon as a worker without a card falls silent", () => {
  const workers = new Liveness();
  workers.present(worker, 0);
  workers.gone(worker);
  assert.equal(workers.state(worker, 700), "live");
  assert.equal(workers.state(worker, 800), "dead");
  workers.present(worker, 800);
  assert.equal(workers.state(worker, 800), "suspect");
});

Deno.test("state() is dead while a worker is unreachable or its engine hangs", () => {
  const workers = new Liveness();
  workers.reported(reportOf(), 0);
  workers.unreachable(worker, 10);
  assert.equal(workers.state(worker, 20), "dead");
  workers.reported(reportOf({ stepAgeMs: 29_000 }), 30);
  assert.equal(workers.state(worker, 40), "live");
  workers.reported(reportOf({ stepAgeMs: 30_000 }), 50);
  assert.equal(workers.state(worker, 60), "dead");
});

Deno.test("forgive() moves everybody's silence on", () => {
  const workers = new Liveness();
  workers.heard(worker, 0);
  workers.forgive(4_000);
  assert.equal(workers.state(worker, 4_700), "live");
  assert.equal(workers.state(worker, 4_800), "suspect");
});

Deno.test("load() counts what was started since the last report", () => {
  const workers = new Liveness();
  workers.started(worker, 0);
  assert.deepEqual(workers.load(worker), { requests: 1, draining: false });
  workers.reported(reportOf({ draining: true }), 1);
  workers.started(worker, 2);
  workers.started(worker, 3);
  assert.deepEqual(workers.load(worker), { requests: 5, draining: true });
});

Deno.test("prune() forgets dead workers without card and streams", () => {
  const workers = new Liveness();
  workers.present(worker, 0);
  workers.prune(5_000, () => false);
  assert.equal(workers.size, 1);
  workers.gone(worker);
  workers.prune(5_000, () => true);
  assert.equal(workers.size, 1);
  workers.prune(5_000, () => false);
  assert.equal(workers.size, 0);
});
