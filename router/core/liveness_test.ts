import assert from "node:assert/strict";
import { instanceOf } from "../testing/samples.ts";
import { Liveness } from "./liveness.ts";

const worker = instanceOf(1);

Deno.test("state() is suspect after 750 ms of silence and dead after 3 s", () => {
  const workers = new Liveness();
  workers.present(worker, 0);
  const at = [749, 750, 2_999, 3_000].map((ms) => workers.state(worker, ms));
  assert.deepEqual(at, ["live", "suspect", "suspect", "dead"]);
  workers.heard(worker, 3_100);
  assert.equal(workers.state(worker, 3_200), "live");
  workers.present(worker, 9_000);
  assert.equal(workers.state(worker, 9_000), "dead");
});

Deno.test("forgive() takes silence off that was our own", () => {
  const workers = new Liveness();
  workers.present(worker, 0);
  workers.forgive(2_000);
  assert.equal(workers.state(worker, 2_700), "live");
  assert.equal(workers.silentMs(worker, 2_700), 700);
});

Deno.test("a worker without a card leaves nothing behind", () => {
  const workers = new Liveness();
  workers.heard(worker, 0);
  assert.equal(workers.silentMs(worker, 5_000), 0);
  workers.present(worker, 5_000);
  workers.forget(worker);
  assert.equal(workers.silentMs(worker, 9_000), 0);
});
