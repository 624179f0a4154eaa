import assert from "node:assert/strict";
import { decodeRecord, hashProbe, keys } from "@pixii/wire";
import { parseConfig, startService, VirtualClock } from "@pixii/runtime";
import type { RunningService } from "@pixii/runtime";
import { testHost } from "@pixii/runtime/testing";
import type { TestHost } from "@pixii/runtime/testing";
import { workerSchema } from "./config.ts";
import { stemOf, workerSpec } from "./service.ts";
import { bundledModel } from "./testing/models.ts";

async function start(host: TestHost, ...args: string[]): Promise<RunningService> {
  const parsed = parseConfig(workerSchema, { args: ["--namespace", "test", ...args], env: {} });
  assert.ok("config" in parsed, JSON.stringify(parsed));
  return await startService(workerSpec, parsed.config, host);
}

const sim = ["--engine", "sim", "--kvbm", "off", "--model", bundledModel("micro.gguf")];

Deno.test("the worker serves simulated ranks with the card of the model's vocabulary", async () => {
  await using host = testHost({ clock: new VirtualClock() });
  const worker = await start(host, ...sim, "--ranks", "3", "--sim-blocks", "200", "--ctx", "4096");
  const listed = await host.registry.list(keys("test").models);
  assert.ok(listed.ok && listed.value.length === 1, JSON.stringify(listed));
  const card = decodeRecord("model", listed.value[0].value);
  assert.ok(card.ok);
  assert.equal(card.value.hashProbe, hashProbe(card.value), "it proves its hashes");
  const { name, engine, dpSize, blockSize, totalBlocks, contextLength, vocabSize } = card.value;
  assert.deepEqual(
    { name, engine, dpSize, blockSize, totalBlocks, contextLength, vocabSize },
    {
      name: "micro",
      engine: "sim",
      dpSize: 3,
      blockSize: 64,
      totalBlocks: 200,
      contextLength: 4096,
      vocabSize: 659,
    },
  );
  const { status, details } = worker.health();
  assert.deepEqual([status, details.ranks], ["ready", 3]);
  await worker.stop(AbortSignal.abort());
});

Deno.test("labels and taints of the worker stand on its card, and odd ones are refused", async () => {
  await using host = testHost({ clock: new VirtualClock() });
  const worker = await start(host, ...sim, "--labels", "zone=a,gpu", "--taints", "batch");
  const listed = await host.registry.list(keys("test").models);
  assert.ok(listed.ok);
  const card = decodeRecord("model", listed.value[0].value);
  assert.ok(card.ok);
  assert.deepEqual([card.value.labels, card.value.taints], [["zone=a", "gpu"], ["batch"]]);
  await worker.stop(AbortSignal.abort());
  for (const labels of ["a b", "zone=a,", ",", "a".repeat(64)]) {
    const parsed = parseConfig(workerSchema, { args: ["--labels", labels], env: {} });
    assert.ok("problems" in parsed && /KEY=VALUE/.test(parsed.problems.join()), labels);
  }
});

Deno.test("two simulated workers of one vocabulary are the same model, whatever their blocks", async () => {
  await using host = testHost({ clock: new VirtualClock() });
  const workers = [await start(host, ...sim), await start(host, ...sim, "--sim-blocks", "99")];
  const listed = await host.registry.list(keys("test").models);
  assert.ok(listed.ok);
  const cards = listed.value.map(({ value }) => decodeRecord("model", value));
  const digests = cards.map((card) => card.ok ? card.value.modelDigest : "");
  assert.equal(digests.length, 2);
  assert.equal(digests[0], digests[1]);
  for (const worker of workers) await worker.stop(AbortSignal.abort());
});

Deno.test("the worker says in one sentence why it cannot start", async () => {
  const cases: [string[], RegExp][] = [
    [["--engine", "sim"], /--model PATH is required/],
    [["--engine", "sim", "--model", "/no/such"], /there is no such file or folder/],
    [
      [...sim, "--ctx", "5000", "--sim-blocks", "64"],
      /64 blocks of 64 hold 4096; raise --sim-blocks/,
    ],
    [[...sim, "--sim-profile", "/no/such"], /Cannot read the profile \/no\/such/],
    [["--model", bundledModel("micro.gguf"), "--ranks", "2"], /--ranks is for --engine sim/],
    [["--model", bundledModel("micro.gguf"), "--max-seqs", "500"], /at most 192, got 500/],
  ];
  for (const [args, message] of cases) {
    await using host = testHost({ clock: new VirtualClock() });
    await assert.rejects(start(host, ...args), message);
  }
});

Deno.test("stemOf() names files and folders", () => {
  assert.deepEqual(["/m/x.gguf", "x.gguf", "/m/words", "/m/words/"].map(stemOf), [
    ...["x", "x", "words", "words"],
  ]);
});
