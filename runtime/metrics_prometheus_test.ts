import assert from "node:assert/strict";
import { VirtualClock } from "./clock_virtual.ts";
import {
  createMetrics,
  mergeExpositions,
  watchEventLoop,
  watchProcess,
} from "./metrics_prometheus.ts";

Deno.test("createMetrics() names metrics after the service, once, with its labels", async () => {
  const metrics = createMetrics("router", { pixii_component: "router" });
  metrics.counter("requests_total", "Requests.", ["model"]).add(1, { model: "a" });
  metrics.counter("pixii_router_requests_total", "Requests.", ["model"]).add(2, { model: "a" });
  const workers = metrics.gauge("workers", "Workers.", ["worker_id"]);
  workers.set(3, { worker_id: "x" });
  workers.add(1, { worker_id: "y" });
  workers.remove({ worker_id: "x" });
  metrics.histogram("wait_seconds", "Wait.", [1, 2]).observe(1.5);
  const text = await metrics.text();
  assert.match(text, /^pixii_router_requests_total\{model="a",pixii_component="router"\} 3$/m);
  assert.match(text, /^pixii_router_workers\{worker_id="y",pixii_component="router"\} 1$/m);
  assert.doesNotMatch(text, /worker_id="x"/);
  assert.match(text, /^pixii_router_wait_seconds_bucket\{le="2",pixii_component="router"\} 1$/m);
});

Deno.test("createMetrics() twice in one program gives two registries", async () => {
  const [one, two] = [createMetrics("router"), createMetrics("router")];
  one.counter("requests_total", "Requests.").add(5);
  two.counter("requests_total", "Requests.").add(7);
  assert.match(await one.text(), / 5\n/);
  assert.match(await two.text(), / 7\n/);
});

Deno.test("watchProcess() and watchEventLoop() report memory, uptime and late timers", async () => {
  const clock = new VirtualClock();
  const metrics = createMetrics("kvbm");
  watchProcess(metrics, clock);
  using _loop = watchEventLoop(metrics, clock);
  await clock.advance(1_000);
  const text = await metrics.text();
  assert.match(text, /^pixii_kvbm_event_loop_delay_seconds_count 4$/m);
  assert.match(text, /^pixii_kvbm_uptime_seconds 1$/m);
  const resident = /^pixii_kvbm_process_resident_memory_bytes (\d+)$/m.exec(text);
  assert.ok(Number(resident?.[1]) > 1e6);
});

Deno.test("mergeExpositions() keeps each family together with one help and type", async () => {
  const parts = ["router", "kvbm"].map((name) => createMetrics(name, { pixii_component: name }));
  for (const part of parts) {
    part.counter("pixii_shared_total", "Shared.").add(1);
    part.gauge("own", "Own.").set(2);
  }
  const text = mergeExpositions(await Promise.all(parts.map((part) => part.text())));
  assert.equal(text.match(/# TYPE pixii_shared_total/g)?.length, 1);
  assert.match(
    text,
    /pixii_shared_total\{pixii_component="router"\} 1\npixii_shared_total\{pixii_component="kvbm"\} 1\n/,
  );
  assert.match(text, /pixii_router_own/);
  assert.match(text, /pixii_kvbm_own/);
});
