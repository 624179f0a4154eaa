import assert from "node:assert/strict";
import { findServer } from "@pixii/runtime";
import { bundledModel } from "@pixii/workers/testing";
import { startDev } from "./dev.ts";
import { smollm2Path } from "@pixii/workers/testing";
import { drawnTokens } from "./drawn_tokens.ts";
import { adminOf, metricOf } from "./program_admin.ts";
import { type Stack, startStack } from "./stack.ts";
import { until } from "./until.ts";

const smollm2 = smollm2Path();
const servers = await findServer("nats-server") !== undefined &&
  await findServer("etcd") !== undefined;
const isLinux = Deno.build.os === "linux";
const name = "m";
/** 20 blocks of 64 cells: one prompt of 1,100 tokens drives another one out. */
const flags = ["--threads", "1", "--ctx", "1280", "--max-seqs", "2"];

interface Answer {
  readonly text: string;
  readonly ttftMs: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

/** One streamed completion, greedy, of 16 tokens. */
async function ask(url: string, prompt: string | readonly number[]): Promise<Answer> {
  const started = performance.now();
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...{ model: name, prompt, temperature: 0, max_tokens: 16, ignore_eos: true },
      ...{ stream: true, stream_options: { include_usage: true } },
    }),
  });
  assert.equal(response.status, 200, response.ok ? "" : await response.text());
  let text = "";
  let ttftMs = 0;
  let usage: Record<string, any> | undefined;
  let rest = "";
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop()!;
    for (const line of lines.filter((line) => line.startsWith("data: {"))) {
      const chunk = JSON.parse(line.slice(6));
      if (ttftMs === 0 && chunk.choices?.[0]?.text) ttftMs = performance.now() - started;
      text += chunk.choices?.[0]?.text ?? "";
      usage = chunk.usage ?? usage;
    }
  }
  return {
    text,
    ttftMs,
    promptTokens: usage!.prompt_tokens,
    cachedTokens: usage!.prompt_tokens_details.cached_tokens,
  };
}

/** A prompt of the micro model. */
const tokens = (seed: number) => drawnTokens(seed, { length: 1_100, span: 350 });

async function startWithTier(model: string, kvbmFlags: readonly string[]) {
  const stack: Stack = await startStack({ kvbmFlags });
  const worker = stack.addWorker({ model, name, flags });
  await stack.untilServed(name);
  const usesKvbm = async () => {
    const health = await (await fetch(`${adminOf(worker)}/health`)).json();
    return health.details.kvbm !== "none" || JSON.stringify(health);
  };
  await until("the worker has a host tier", usesKvbm);
  const onboarded = () => metricOf(worker, "pixii_worker_cached_tokens_total", 'tier="host"');
  return { stack, worker, usesKvbm, onboarded };
}

Deno.test({
  name:
    "host tier: SmolLM2's prompt of 1,100 tokens comes back from shared memory, the answer the same to the token",
  ignore: smollm2 === undefined || !servers || !isLinux,
  async fn() {
    const { stack, worker, onboarded } = await startWithTier(smollm2!, []);
    await using _ = stack;
    const about = (what: string) =>
      `These are notes about ${what}. ` +
      `Everybody who lives near the ${what} knows its seasons, its weather and its people. `
        .repeat(68) +
      `In short, the ${what} is`;
    const cold = await ask(stack.url, about("river"));
    assert.ok(cold.promptTokens > 1_000 && cold.promptTokens < 1_200, `${cold.promptTokens}`);
    assert.equal(cold.cachedTokens, 0);
    await ask(stack.url, about("desert"));
    const again = await ask(stack.url, about("river"));
    // Its blocks and its end: one token counts as computed.
    assert.equal(again.cachedTokens, cold.promptTokens - 1);
    assert.ok(await onboarded() >= 800, `${await onboarded()} tokens from the host tier`);
    assert.equal(again.text, cold.text);
    const said = `cold ${cold.ttftMs.toFixed(0)} ms, onboarded ${again.ttftMs.toFixed(0)} ms`;
    assert.ok(again.ttftMs < cold.ttftMs / 2, said);
    assert.equal(await metricOf(worker, "pixii_worker_host_blocks_total", 'event="dropped"'), 0);
  },
});

Deno.test({
  name: "host tier: kvbm killed and back: every request succeeds, blocks are used again afterwards",
  ignore: !servers || !isLinux,
  async fn() {
    const model = bundledModel("micro.gguf");
    const { stack, usesKvbm, onboarded } = await startWithTier(model, ["--kv-host", "16MiB"]);
    await using _ = stack;
    const cold = await ask(stack.url, tokens(1));
    await ask(stack.url, tokens(2));
    const warm = await ask(stack.url, tokens(1));
    assert.equal(warm.text, cold.text);
    const before = await onboarded();
    assert.ok(before > 0);

    const first = stack.programs.find((one) => one.name === "kvbm")!;
    await first.end("SIGKILL");
    await ask(stack.url, tokens(2));
    await until("the worker sees it", async () => await usesKvbm() !== true);
    const alone = await ask(stack.url, tokens(1));
    assert.equal(alone.promptTokens, 1100);
    assert.equal(await onboarded(), before, "nothing comes from a tier that is gone");

    const second = stack.addProgram("kvbm");
    await until("the worker found the new one", usesKvbm);
    const left = [...Deno.readDirSync("/dev/shm")].map((entry) => entry.name);
    assert.ok(!left.some((file) => file.includes(`-${first.pid}-`)), "the old pool is swept");
    await ask(stack.url, tokens(2));
    await ask(stack.url, tokens(1));
    assert.ok(await onboarded() > before, "the new tier is used");
    assert.ok(await metricOf(second, "pixii_kvbm_block_hits_total") > 0);
  },
});

/** An answer drawn with a seed, its log-probabilities as text, and how much of its prompt was not computed. */
async function askVoiced(url: string, prompt: readonly number[]) {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      ...{ model: name, prompt, temperature: 1, seed: 7, logprobs: 3 },
      ...{ max_tokens: 8, ignore_eos: true },
    }),
  });
  const said = await response.json();
  assert.equal(response.status, 200, JSON.stringify(said));
  const voice = JSON.stringify(said.choices[0].logprobs);
  return { voice, cached: said.usage.prompt_tokens_details.cached_tokens as number };
}

Deno.test({
  name: "host tier: a prompt that comes again computes nothing, and says the same to the last bit",
  ignore: !servers || !isLinux,
  async fn() {
    const model = bundledModel("micro.gguf");
    const { stack, worker } = await startWithTier(model, ["--kv-host", "16MiB"]);
    await using _ = stack;
    // One token behind a block, some, a whole block, and more than one chunk of blocks.
    const prompts = [65, 100, 128, 1_088].map((length, i) => tokens(10 + i).slice(0, length));
    const cold: string[] = [];
    for (const prompt of prompts) {
      const { voice, cached } = await askVoiced(stack.url, prompt);
      assert.ok(voice.includes("token_logprobs"), voice);
      assert.equal(cached, 0);
      cold.push(voice);
    }
    for (const [i, prompt] of prompts.entries()) {
      const voices = new Set<string>();
      // A worker that had no slots yet keeps no end, and one does not wait long for a slow answer: then it computes.
      await until(`${prompt.length} tokens are not computed`, async () => {
        const { voice, cached } = await askVoiced(stack.url, prompt);
        voices.add(voice);
        return cached === prompt.length - 1 || cached;
      }, 30_000);
      assert.deepEqual([...voices], [cold[i]], `${prompt.length} tokens`);
    }
    const ends = (event: string) =>
      metricOf(worker, "pixii_worker_prompt_ends_total", `event="${event}"`);
    assert.ok(await ends("kept") >= 4 && await ends("taken") >= 4);
    // One that differs in its last token shares the blocks and not the end.
    const other = await askVoiced(stack.url, [...prompts[1].slice(0, -1), 301]);
    assert.ok(other.cached <= 64, `${other.cached}`);
    assert.notEqual(other.voice, cold[1]);
  },
});

Deno.test({
  name: "host tier: a byte flipped in shared memory is never used: computed again, and counted",
  ignore: !servers || !isLinux,
  async fn() {
    const model = bundledModel("micro.gguf");
    const { stack, worker, onboarded } = await startWithTier(model, ["--kv-host", "16MiB"]);
    await using _ = stack;
    const kvbm = stack.programs.find((one) => one.name === "kvbm")!;
    const pool = await (await fetch(`${adminOf(kvbm)}/pool`)).json();
    const cold = await ask(stack.url, tokens(1));
    await ask(stack.url, tokens(2));
    await until("all blocks are stored", async () => {
      const { host } = await (await fetch(`${adminOf(kvbm)}/kv`)).json();
      return host.blocks - host.ends >= 14 || host;
    });
    {
      using file = await Deno.open(pool.path, { read: true, write: true });
      const byte = new Uint8Array(1);
      const { slotBytes } = pool.layouts[0];
      for (let slot = 0; slot < 60; slot++) {
        // Far behind the header, in the rows of K and V.
        await file.seek(slot * slotBytes + 9_000, Deno.SeekMode.Start);
        await file.read(byte);
        byte[0] ^= 1;
        await file.seek(-1, Deno.SeekMode.Current);
        await file.write(byte);
      }
    }
    const again = await ask(stack.url, tokens(1));
    assert.equal(await onboarded(), 0);
    assert.equal(again.text, cold.text);
    assert.ok(await metricOf(worker, "pixii_worker_host_blocks_total", 'event="damaged"') >= 1);
    await until("the kvbm counts it", async () => {
      return await metricOf(kvbm, "pixii_kvbm_blocks_corrupt_total") >= 1;
    });
  },
});

for (const topology of ["one", "processes"]) {
  Deno.test({
    name:
      `host tier: dev --topology ${topology} leaves no shared memory, ended by SIGINT or killed`,
    ignore: !isLinux || (topology === "processes" && !servers),
    async fn() {
      const model = bundledModel("micro.gguf");
      for (const signal of ["SIGINT", "SIGKILL"] as const) {
        await using dev = await startDev([
          ...["--topology", topology, "--model", `${model},ctx=2048`, "--kv-host", "16MiB"],
        ]);
        const files = () =>
          [...Deno.readDirSync("/dev/shm")].map((entry) => entry.name)
            .filter((file) => file.includes(dev.facts.namespace));
        assert.equal(files().length, 1);
        const worker = dev.facts.processes.find((one) => one.service === "worker")!;
        await until("the worker uses it", async () => {
          const health = await (await fetch(`${worker.admin}/health`)).json();
          return health.details.kvbm !== "none" || JSON.stringify(health);
        });
        await dev.end(signal);
        await until("nothing is left", () => files().length === 0 || files(), 45_000);
      }
    },
  });
}
