import assert from "node:assert/strict";
import { findServer } from "@pixii/runtime";
import { bundledModel } from "@pixii/workers/testing";
import { drawnTokens } from "./drawn_tokens.ts";
import { adminOf } from "./program_admin.ts";
import { startStack } from "./stack.ts";
import type { Program, Stack } from "./stack.ts";
import { until } from "./until.ts";

const servers = await findServer("nats-server") !== undefined &&
  await findServer("etcd") !== undefined;
const ignore = !servers || Deno.build.os !== "linux";
const name = "m";
/** 20 blocks of 64 cells on the device: one prompt of 1,100 tokens drives another one out. */
const smallCtx = "1280";
/** 32 blocks: one of them stays on the device though there is a host tier. */
const largeCtx = "2048";

/** A prompt of the micro model. */
const tokens = (seed: number) => drawnTokens(seed, { length: 1_100, span: 350 });

/** One completion, greedy, of 16 tokens; its text and its cached tokens by tier. */
async function ask(url: string, prompt: readonly number[]) {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-pixii-debug": "1" },
    body: JSON.stringify({
      ...{ model: name, prompt, temperature: 0, max_tokens: 16, ignore_eos: true },
    }),
  });
  const body = await response.json();
  assert.equal(response.status, 200, JSON.stringify(body));
  const header = response.headers.get("x-pixii-cached-tokens") ?? "";
  const tiers = Object.fromEntries(
    header.split(",").map((one) => one.split("=")).map(([tier, count]) => [tier, Number(count)]),
  );
  return { text: body.choices[0].text as string, tiers };
}

/** A counter or gauge in an exposition, over all its labels. */
function sumOf(text: string, metric: string): number {
  return text.split("\n").filter((line) => line.startsWith(metric))
    .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

/** All programs with a host tier of 16 MiB and a disk tier in a folder, and one worker that uses them. */
async function startWithDisk(
  folder: string,
  ctx = smallCtx,
): Promise<{ stack: Stack; worker: Program; kvbm: () => Promise<any> }> {
  const kvbmFlags = ["--kv-host", "16MiB", "--kv-disk", `64MiB:${folder}`];
  const stack = await startStack({ kvbmFlags });
  const flags = ["--threads", "1", "--ctx", ctx, "--max-seqs", "2"];
  const worker = stack.addWorker({ model: bundledModel("micro.gguf"), name, flags });
  await stack.untilServed(name);
  await until("the worker has a host tier", async () => {
    const health = await (await fetch(`${adminOf(worker)}/health`)).json();
    return health.details.kvbm !== "none" || JSON.stringify(health);
  });
  const admin = adminOf(stack.programs.find((one) => one.name === "kvbm")!);
  return { stack, worker, kvbm: async () => await (await fetch(`${admin}/kv`)).json() };
}

Deno.test({
  name: "disk tier: a prompt that was served before a restart of everything is warm after it",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "pixii-disk-" });
    let cold = "";
    {
      const { stack, kvbm } = await startWithDisk(folder);
      await using _ = stack;
      cold = (await ask(stack.url, tokens(1))).text;
      await ask(stack.url, tokens(2));
      await until("what left the device is on disk", async () => {
        const { disk } = await kvbm();
        return disk.blocks - disk.ends >= 14 || disk;
      });
    }
    {
      const { stack, kvbm } = await startWithDisk(folder);
      await using _ = stack;
      const before = (await kvbm()).disk;
      assert.ok(before.blocks >= 14, JSON.stringify(before));
      const routed = async (metric: string) => sumOf(await stack.metrics("router"), metric);
      await until("the router knows them", async () => {
        const blocks = await routed("pixii_router_index_blocks");
        return blocks >= 14 || blocks;
      });
      const { text, tiers } = await ask(stack.url, tokens(1));
      assert.ok(await routed("pixii_router_prefetch_blocks_total") >= 14, "nothing was prefetched");
      const disk = (await stack.metrics("router")).split("\n").find((line) =>
        line.startsWith("pixii_router_overlap_blocks_total") && line.includes('tier="disk"')
      );
      assert.ok(Number(disk?.split(" ").at(-1)) >= 14, String(disk));
      // What the router had brought up before the worker asked counts as memory's.
      const facts = JSON.stringify({ tiers, kv: await kvbm() });
      assert.ok(tiers.disk + tiers.host >= 14 * 64 && tiers.device === 0, facts);
      assert.ok((await kvbm()).fetches.landed.disk >= 14, facts);
      assert.equal(text, cold);
      assert.equal((await kvbm()).disk.counts.damaged, 0);
      // Now it is in memory, or on the device.
      const again = await ask(stack.url, tokens(1));
      assert.equal(again.tiers.disk, 0, JSON.stringify(again.tiers));
      assert.equal(again.text, cold);
    }
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test({
  name: "disk tier: what a worker has only on its device is kept when it is told to end",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir({ prefix: "pixii-disk-" });
    // Its answer fills the first block: that is kept when it leaves the device; what a prompt fills is kept at once.
    const prompt = tokens(3).slice(0, 50);
    let cold = "";
    {
      const { stack, worker, kvbm } = await startWithDisk(folder, largeCtx);
      await using _ = stack;
      const blocks = async () => (await kvbm()).host.blocks;
      // A worker that has no slots yet keeps no end.
      await until("the prompt's end is kept, and no block", async () => {
        cold = (await ask(stack.url, prompt)).text;
        return await blocks() === 1 || await blocks();
      });
      assert.equal(await worker.end("SIGTERM"), 0);
      assert.equal(await blocks(), 2, JSON.stringify(await kvbm()));
    }
    {
      const { stack } = await startWithDisk(folder, largeCtx);
      await using _ = stack;
      const { text, tiers } = await ask(stack.url, prompt);
      assert.ok(tiers.disk + tiers.host >= 49, JSON.stringify(tiers));
      assert.equal(text, cold);
    }
    await Deno.remove(folder, { recursive: true });
  },
});
