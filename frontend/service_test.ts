import assert from "node:assert/strict";
import { fail } from "@pixii/wire";
import { parseConfig, StartError, startService } from "@pixii/runtime";
import type { RunningService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import { frontendSchema } from "./config.ts";
import { frontendSpec } from "./service.ts";

async function start(host: TestHost, ...args: string[]): Promise<RunningService> {
  const parsed = parseConfig(frontendSchema, { args: ["--port", "0", ...args], env: {} });
  assert.ok("config" in parsed, JSON.stringify(parsed));
  return await startService(frontendSpec, parsed.config, host);
}

const urlOf = ({ service }: RunningService) => service.facts!.url as string;

Deno.test("the frontend serves its pages at once, without models and workers", async () => {
  await using host = testHost();
  const running = await start(host);
  const url = urlOf(running);
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
  const health = await (await fetch(`${url}/health`)).json();
  assert.deepEqual(health, {
    status: "ready",
    details: { models: {}, streams: 0, bus: "connected", registry: "connected" },
  });
  assert.deepEqual(await (await fetch(`${url}/v1/models`)).json(), { object: "list", data: [] });
  const metrics = await (await fetch(`${url}/metrics`)).text();
  for (const name of ["requests_total", "inflight_requests", "time_to_first_token_seconds"]) {
    assert.ok(metrics.includes(`# TYPE pixii_frontend_${name} `), name);
  }
  const refused = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "m", prompt: "Hi" }),
  });
  assert.equal(refused.status, 404);
  assert.match((await refused.json()).error.message, /GET \/v1\/models lists what is served/);
  await running.stop();
});

Deno.test("a drained frontend says so, refuses work, and closes its port", async () => {
  await using host = testHost();
  const running = await start(host);
  const url = urlOf(running);
  await running.service.drain(new AbortController().signal);
  const health = await fetch(`${url}/health`);
  assert.deepEqual([health.status, (await health.json()).status], [503, "draining"]);
  const refused = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "m", prompt: "Hi" }),
  });
  assert.equal(refused.status, 503);
  assert.equal((await refused.json()).error.code, "draining");
  await running.stop();
  await assert.rejects(fetch(`${url}/live`));
});

Deno.test("a taken port fails the start and leaves nothing running", async () => {
  await using host = testHost();
  const running = await start(host);
  const port = new URL(urlOf(running)).port;
  await assert.rejects(start(host, "--port", port), StartError);
  await running.stop();
  // What was left running would hold the port, or tick on and keep this test's process alive.
  const again = await start(host, "--port", port);
  await again.stop();
});

Deno.test("a registry that cannot be watched fails the start with its reason", async () => {
  await using host = testHost();
  const registry = new Proxy(host.registry, {
    get: (target, name) =>
      name === "watch"
        ? () => Promise.resolve(fail("registry_unavailable", "Cannot watch: it is away"))
        : Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name),
  });
  await assert.rejects(start({ ...host, registry } as TestHost), /Cannot watch: it is away/);
});
