import assert from "node:assert/strict";
import { decodeRecord, keys } from "@pixii/wire";
import { parseConfig, startService, VirtualClock } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import { kvbmSchema } from "./config.ts";
import { kvbmSpec } from "./service.ts";

Deno.test("kvbm registers, is ready and says that it has no tiers yet", async () => {
  const clock = new VirtualClock();
  await using host = testHost({ clock });
  const parsed = parseConfig(kvbmSchema, { args: [], env: {} });
  assert.ok("config" in parsed);
  const running = await startService(kvbmSpec, parsed.config, host);
  const missing = "tiers come later: workers keep KV on the device only";
  assert.equal(running.health().status, "ready");
  assert.equal(running.health().details.missing, missing);
  assert.ok(host.lines.some((line) => line.level === "info" && line.message === missing));
  const listed = await host.registry.list(keys("default").instances);
  assert.ok(listed.ok && listed.value.length === 1);
  const record = decodeRecord("instance", listed.value[0].value);
  assert.ok(record.ok && record.value.service === "kvbm" && record.value.status === "ready");
  const text = await running.metrics.text();
  assert.match(text, /^pixii_kvbm_tier_capacity_bytes\{tier="host",.*\} 0$/m);
  assert.doesNotMatch(text, /tier="device"/);
  await running.stop();
  const after = await host.registry.list(keys("default").instances);
  assert.deepEqual(after.ok && after.value, []);
  assert.equal(clock.waiting, 0);
});
