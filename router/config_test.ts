import assert from "node:assert/strict";
import { policies } from "@pixii/wire";
import { parseConfig } from "@pixii/runtime";
import { routerSchema, rulesOf } from "./config.ts";
import { configOf, instanceOf } from "./testing/samples.ts";

Deno.test("the defaults are the cost of the design", () => {
  assert.deepEqual(rulesOf(configOf(), instanceOf(1)), {
    ...{ router: instanceOf(1), policy: "kv", hungStepMs: 30_000, sessionTtlMs: 600_000 },
    ...{ indexBytes: 536_870_912, keptDecisions: 1_024 },
    split: {
      ...{
        mode: "auto",
        maxLocalPrefillLength: 512,
        maxPrefillQueueSize: 8,
        patience: 2,
        acrossHosts: false,
      },
    },
    busy: { waitingPerRank: 192, prefillTokens: 0, prefillMs: 0, blocks: 0 },
    kv: {
      ...{ temperature: 0, prefillScale: 1, activeWeight: 0 },
      ...{ deviceCredit: 1, hostCredit: 0.75, diskCredit: 0.25, creditDecay: 0 },
    },
    ttft: { workWeight: 2, spreadWeight: 0.5, stickyBacklogMs: 1_000, assumedRate: 5_000 },
    truth: { audit: { everyMs: 10_000, blocks: 16 }, approx: { ttlMs: 120_000, blocks: 100_000 } },
  });
});

Deno.test("--policy takes every policy, and says what it takes", () => {
  for (const policy of policies) assert.equal(configOf("--policy", policy).policy, policy);
  const parsed = parseConfig(routerSchema, { args: ["--policy", "robin"], env: {} });
  assert.ok("problems" in parsed);
  assert.match(parsed.problems[0], /round-robin/);
});

Deno.test("options have one path in flags and environment", () => {
  const env = { PIXII_KV_TEMPERATURE: "0.5", PIXII_INDEX_MAX_BYTES: "10MiB" };
  const parsed = parseConfig(routerSchema, { args: ["--kv-prefill-scale", "2"], env });
  assert.ok("config" in parsed);
  const { kv, indexBytes } = rulesOf(parsed.config, instanceOf(1));
  assert.deepEqual([kv.temperature, kv.prefillScale, indexBytes], [0.5, 2, 10_485_760]);
});
