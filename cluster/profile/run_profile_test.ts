import assert from "node:assert/strict";
import { denoThreads, VirtualClock } from "@pixii/runtime";
import { bundledModel } from "@pixii/workers/testing";
import type { WorkerProfile } from "@pixii/wire";
import { grids } from "./core/profile_grid.ts";
import { runProfile } from "./run_profile.ts";

/** Half a millisecond a prompt token and a hundredth of its context, four a decode step and one a sequence. */
const known: WorkerProfile = {
  ...{ version: 1, model: "m", modelDigest: "ab", engine: "sim", engineVersion: "1", machine: "" },
  ...{ measuredAt: "2026-01-01T00:00:00Z", about: "", blockSize: 64, onboardBlockMs: {} },
  prefill: { newTokens: [0, 64], contextTokens: [0, 1000], ms: [[0, 0], [32, 42]] },
  decode: { sequences: [1, 2], contextTokens: [0], ms: [[5], [6]] },
};

Deno.test("runProfile() finds the times that a simulated worker keeps", async () => {
  const clock = new VirtualClock();
  const folder = await Deno.makeTempDir();
  const path = `${folder}/known.json`;
  await Deno.writeTextFile(path, JSON.stringify(known));
  let text = "";
  let isDone = false;
  const running = runProfile({
    ...{ engine: "sim", grid: "small", threads: 1, maxSeqs: 4, ctx: 4096, clock, folder },
    model: { path: bundledModel("micro.gguf"), name: "micro" },
    workerArgs: ["--sim-profile", path, "--sim-chunk-tokens", "64", "--sim-max-prefills", "1"],
    ...{ threadsPort: denoThreads(), machine: "none", isTerminal: false },
    write: (more) => text += more,
  }).finally(() => isDone = true);
  while (!isDone) await clock.advance(20);
  const profile = await running;
  await Deno.remove(folder, { recursive: true });
  assert.ok(profile.ok);
  const { prefill, decode, besides, kvBytesPerToken, onboardBlockMs } = profile.value;
  assert.deepEqual(decode.sequences, [1, 2, 4]);
  assert.deepEqual(decode.ms, [[5, 5], [6, 6], [8, 8]]);
  assert.deepEqual(prefill.newTokens, grids.small.newTokens);
  assert.deepEqual(prefill.contextTokens, [0, 512, 2048]);
  // 512 tokens go in chunks of 64, each behind those before it.
  const chunked = Array.from({ length: 8 }, (_, i) => 32 + 64 * i / 100).reduce((a, b) => a + b);
  assert.ok(Math.abs(prefill.ms[4][0] - chunked) < 0.01, `${prefill.ms[4][0]} is not ${chunked}`);
  assert.ok(Math.abs(prefill.ms[2][1] - (32 + 5.12)) < 0.01, `${prefill.ms[2][1]}`);
  assert.deepEqual([besides?.newTokens, besides?.sequences], [grids.small.newTokens, [0, 1]]);
  // Alone it is the prefill; beside another, each step also decodes.
  assert.deepEqual(besides?.ms.map(([alone]) => alone), prefill.ms.map(([first]) => first));
  assert.ok(besides.ms.every(([alone, beside]) => beside > alone));
  assert.ok((kvBytesPerToken ?? 0) > 0);
  assert.deepEqual(onboardBlockMs, {});
  assert.match(text, /100% first token of 512 beside 1\n$/);
});

Deno.test("runProfile() says where a worker is too small for the grid", async () => {
  const profile = await runProfile({
    ...{ engine: "sim", grid: "small", threads: 1, maxSeqs: 4, ctx: 64, folder: "" },
    clock: new VirtualClock(),
    model: { path: bundledModel("micro.gguf"), name: "micro" },
    workerArgs: [],
    ...{ threadsPort: denoThreads(), machine: "none", isTerminal: false, write: () => {} },
  });
  assert.ok(!profile.ok);
  assert.match(profile.error.message, /a context of 64 tokens has no room.*raise --ctx/);
});
