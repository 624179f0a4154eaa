import assert from "node:assert/strict";
import type { InstanceId, ServiceName } from "@pixii/wire";
import { AdminServer } from "./admin.ts";
import type { AdminPart } from "./admin.ts";
import { recordingLog } from "./log_recording.ts";
import { createMetrics } from "./metrics_prometheus.ts";
import { RouteAnswer } from "./service.ts";
import type { Health } from "./service.ts";
import { StartError } from "./start_error.ts";

function partOf(name: ServiceName, health: () => Health["status"]): AdminPart {
  const metrics = createMetrics(name, { pixii_component: name });
  metrics.counter("seen_total", "Seen.").add(1);
  return {
    name,
    instance: "00000000000000ab" as InstanceId,
    metrics,
    health: () => ({ status: health(), details: { workers: 2 } }),
    routes: () => ({
      "/plan": (url) => ({ acts: false, depth: url.searchParams.get("depth") }),
      "/plan/*": (url) =>
        url.pathname.endsWith("/7") ? { step: 7 } : new RouteAnswer(404, { gone: 1 }),
      "/broken": () => {
        throw new Error("no such luck");
      },
    }),
    actions: () => ({ "/clear": (url) => ({ cleared: url.searchParams.get("what") }) }),
  };
}

async function get(url: string, init?: RequestInit): Promise<readonly [number, string]> {
  const response = await fetch(url, init);
  return [response.status, await response.text()];
}

Deno.test("AdminServer answers for a service that is alone at the root and below its name", async () => {
  let status: Health["status"] = "starting";
  const log = recordingLog();
  await using admin = AdminServer.open({ host: "127.0.0.1", port: 0 }, log);
  using _part = admin.mount(partOf("planner", () => status));
  for (const base of [admin.url, `${admin.url}/planner`]) {
    status = "starting";
    const [code, body] = await get(`${base}/health`);
    assert.equal(code, 503);
    assert.deepEqual(JSON.parse(body), {
      status: "starting",
      service: "planner",
      instance: "00000000000000ab",
      details: { workers: 2 },
    });
    status = "ready";
    assert.equal((await get(`${base}/health`))[0], 200);
    assert.deepEqual(await get(`${base}/live`), [200, '{"status":"live"}']);
    assert.match((await get(`${base}/metrics`))[1], /^pixii_planner_seen_total\{.*\} 1$/m);
    assert.deepEqual(await get(`${base}/plan?depth=3`), [200, '{"acts":false,"depth":"3"}']);
    assert.deepEqual(await get(`${base}/plan/a/7`), [200, '{"step":7}']);
    assert.deepEqual(await get(`${base}/plan/8`), [404, '{"gone":1}']);
    assert.equal((await get(`${base}/nothing`))[0], 404);
    assert.equal((await get(`${base}/plan`, { method: "POST" }))[0], 405);
    assert.equal((await get(`${base}/clear`))[0], 404);
    assert.equal((await get(`${base}/clear`, { method: "POST" }))[0], 415);
    const headers = { "content-type": "application/json" };
    assert.deepEqual(
      await get(`${base}/clear?what=all`, { method: "POST", headers }),
      [200, '{"cleared":"all"}'],
    );
    const [broken, text] = await get(`${base}/broken`);
    assert.equal(broken, 500);
    assert.ok(!text.includes("no such luck"));
  }
  assert.equal(log.lines.filter((line) => line.level === "error").length, 2);
});

Deno.test("AdminServer sums up several services at the root", async () => {
  let status: Health["status"] = "ready";
  await using admin = AdminServer.open({ host: "127.0.0.1", port: 0 }, recordingLog());
  using _one = admin.mount(partOf("planner", () => status));
  const two = admin.mount(partOf("kvbm", () => "ready"));
  const [code, body] = await get(`${admin.url}/health`);
  assert.equal(code, 200);
  assert.deepEqual(Object.keys(JSON.parse(body).services), ["planner", "kvbm"]);
  const [, text] = await get(`${admin.url}/metrics`);
  assert.match(text, /pixii_planner_seen_total/);
  assert.match(text, /pixii_kvbm_seen_total/);
  assert.doesNotMatch((await get(`${admin.url}/kvbm/metrics`))[1], /pixii_planner/);
  assert.equal((await get(`${admin.url}/plan`))[0], 404);
  status = "draining";
  assert.equal((await get(`${admin.url}/health`))[0], 503);
  assert.equal((await get(`${admin.url}/kvbm/health`))[0], 200);
  two[Symbol.dispose]();
  assert.equal((await get(`${admin.url}/kvbm/health`))[0], 404);
});

Deno.test("AdminServer.open() says which port is taken and what to do", async () => {
  await using admin = AdminServer.open({ host: "127.0.0.1", port: 0 }, recordingLog());
  const port = Number(new URL(admin.url).port);
  assert.throws(
    () => AdminServer.open({ host: "127.0.0.1", port }, recordingLog()),
    (error) =>
      error instanceof StartError && error.exitCode === 1 && /--admin-port/.test(error.message),
  );
});
