import assert from "node:assert/strict";
import { PeerSpeed } from "./peer_speed.ts";
import { choosePull } from "./pull_choice.ts";

const block = 800_000;

Deno.test("choosePull() pulls what comes before it would be computed, queue and round trip included", () => {
  const terms = {
    bytes: 10 * block,
    queuedBytes: 0,
    bytesPerSecond: 1e9,
    waitMs: 2,
    computeMs: 11,
  };
  const pull = choosePull(terms);
  assert.equal(pull.verdict, "pull");
  assert.ok(Math.abs(pull.pullMs - 10) < 1e-9);
  assert.equal(choosePull({ ...terms, computeMs: 9 }).verdict, "compute");
  assert.equal(choosePull({ ...terms, queuedBytes: 2 * block }).verdict, "compute");
  assert.equal(choosePull({ ...terms, waitMs: 4 }).verdict, "compute");
  assert.equal(choosePull({ ...terms, computeMs: 0 }).verdict, "compute");
});

Deno.test("PeerSpeed follows what pulls take and comes back to its assumption when nothing is pulled", () => {
  const speed = new PeerSpeed(0);
  const assumed = speed.bytesPerSecond(0);
  assert.ok(Math.abs(assumed - 1.25e9) < 1);
  // A link of 10 MB/s.
  for (let i = 1; i <= 20; i++) speed.note({ waitMs: 20, bytes: block, movingMs: 80 }, i * 100);
  assert.ok(
    Math.abs(speed.bytesPerSecond(2_000) / 1e7 - 1) < 0.2,
    `${speed.bytesPerSecond(2_000)}`,
  );
  assert.ok(Math.abs(speed.waitMs(2_000) - 19) < 1);
  assert.ok(speed.bytesPerSecond(2_000 + 600_000) > 0.9 * assumed);
  assert.ok(speed.waitMs(2_000 + 600_000) < 1.1);
  // One small pull says little.
  const fresh = new PeerSpeed(0);
  fresh.note({ waitMs: 1, bytes: 10_000, movingMs: 1 }, 1);
  assert.ok(fresh.bytesPerSecond(1) > 0.5 * assumed);
});
