import assert from "node:assert/strict";
import { decodeRecord, keys } from "@pixii/wire";
import type { InstanceId, InstanceRecord } from "@pixii/wire";
import { VirtualClock } from "./clock_virtual.ts";
import type { ConfigOf } from "./config.ts";
import { parseConfig } from "./config_parse.ts";
import type { Health, Service, ServiceContext, ServiceSpec } from "./service.ts";
import { commonOptions } from "./service_options.ts";
import { startService } from "./service_start.ts";
import { testHost } from "./test_host.ts";
import type { TestHost } from "./test_host.ts";

type Common = typeof commonOptions;

function configOf(...args: string[]): ConfigOf<Common> {
  const parsed = parseConfig(commonOptions, { args, env: {} });
  assert.ok("config" in parsed, JSON.stringify(parsed));
  return parsed.config;
}

function specOf(
  service: Partial<Service>,
  seen: string[] = [],
  onStart: (context: ServiceContext) => void = () => {},
): ServiceSpec<Common> {
  return {
    name: "kvbm",
    summary: "a trial",
    schema: commonOptions,
    start(_config, context) {
      onStart(context);
      return Promise.resolve({
        health: () => ({ status: "ready", details: {} }),
        drain: () => Promise.resolve(),
        [Symbol.asyncDispose]: () => Promise.resolve(void seen.push("disposed")),
        ...service,
      });
    },
  };
}

/** The statuses others see from now on; "gone" when the entry is removed. */
async function watchStatus(host: TestHost): Promise<string[]> {
  const seen: string[] = [];
  const put = (value: string) => {
    const record = decodeRecord("instance", value);
    assert.ok(record.ok, JSON.stringify(record));
    seen.push(record.value.status);
  };
  const watched = await host.connect().registry.watch(keys("default").instances, {
    snapshot: (entries) => entries.forEach((entry) => put(entry.value)),
    change: (change) => change.kind === "put" ? put(change.entry.value) : void seen.push("gone"),
  });
  assert.ok(watched.ok);
  return seen;
}

Deno.test("startService() announces starting, ready, draining and gone, in this order", async () => {
  await using host = testHost({ clock: new VirtualClock() });
  const seen = await watchStatus(host);
  const running = await startService(
    specOf({ drain: () => Promise.resolve(void seen.push("drain")) }, seen),
    configOf(),
    host,
  );
  assert.equal(running.health().status, "ready");
  assert.equal(host.parts.size, 1);
  await running.stop();
  await running.stop();
  assert.deepEqual(seen, ["starting", "ready", "draining", "drain", "gone", "disposed"]);
  assert.equal(host.parts.size, 0);
  assert.equal((host.clock as VirtualClock).waiting, 0);
});

Deno.test("startService() writes who, where and which version, under the launcher's id", async () => {
  await using host = testHost({ clock: new VirtualClock() });
  const id = "00000000000000ff" as InstanceId;
  const config = configOf("--instance", id, "--namespace", "blue");
  const running = await startService(specOf({}), config, host, { prefixed: true });
  const listed = await host.registry.list(keys("blue").instances);
  assert.ok(listed.ok);
  assert.deepEqual(listed.value.map(({ key }) => key), [`/pixii/v1/blue/instances/kvbm/${id}`]);
  const record = decodeRecord("instance", listed.value[0].value);
  assert.deepEqual(
    record.ok && record.value,
    {
      ...{ service: "kvbm", instance: id, pid: 1, host: "localhost", version: "0.1.0" },
      ...{ admin: "http://127.0.0.1:9/kvbm", status: "ready" },
    } satisfies InstanceRecord,
  );
  assert.match(await running.metrics.text(), new RegExp(`pixii_instance="${id}"`));
  await running.stop();
});

Deno.test("startService() keeps the registry at what health says", async () => {
  const clock = new VirtualClock();
  await using host = testHost({ clock });
  const seen = await watchStatus(host);
  let status: Health["status"] = "starting";
  const running = await startService(
    specOf({ health: () => ({ status, details: {} }) }),
    configOf(),
    host,
  );
  await clock.advance(1_000);
  assert.deepEqual(seen, ["starting"]);
  status = "ready";
  await clock.advance(1_000);
  assert.deepEqual(seen, ["starting", "ready"]);
  await running.stop();
});

Deno.test("startService() closes what it opened when the service does not start", async () => {
  const clock = new VirtualClock();
  await using host = testHost({ clock });
  const seen = await watchStatus(host);
  const spec = specOf({}, seen, () => {
    throw new Error("no engine");
  });
  await assert.rejects(startService(spec, configOf(), host), /no engine/);
  assert.equal(seen.at(-1), "gone");
  assert.equal(host.parts.size, 0);
  assert.equal(clock.waiting, 0);
});

Deno.test("startService() stops a drain at its limit, even one that does not listen", async () => {
  for (const listens of [true, false]) {
    const clock = new VirtualClock();
    await using host = testHost({ clock });
    const seen: string[] = [];
    const drain = (signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        if (listens) signal.addEventListener("abort", () => resolve());
      });
    const running = await startService(
      specOf({ drain }, seen),
      configOf("--drain-timeout", "2s"),
      host,
    );
    const stopped = running.stop();
    await clock.advance(1_999);
    assert.deepEqual(seen, []);
    await clock.advance(1_001);
    await stopped;
    assert.deepEqual(seen, ["disposed"]);
    assert.ok(host.lines.some((line) => /cut short/.test(line.message)));
  }
});

Deno.test("startService() runs several services of one name beside each other", async () => {
  await using host = testHost({ clock: new VirtualClock() });
  const one = await startService(specOf({}), configOf(), host);
  const two = await startService(specOf({}), configOf(), host);
  assert.notEqual(one.instance, two.instance);
  const count = (text: string) => text.match(/^pixii_kvbm_uptime_seconds/gm)?.length;
  assert.equal(count(await one.metrics.text()), 1);
  assert.equal(count(await two.metrics.text()), 1);
  await one.stop();
  await two.stop();
});
