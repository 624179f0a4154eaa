import assert from "node:assert/strict";
import { findServer } from "@pixii/runtime";
import { bundledModel } from "@pixii/workers/testing";
import { drawnTokens } from "./drawn_tokens.ts";
import { adminOf, metricOf } from "./program_admin.ts";
import { type Program, startStack } from "./stack.ts";
import { until } from "./until.ts";

const servers = await findServer("nats-server") !== undefined &&
  await findServer("etcd") !== undefined;
const model = bundledModel("tiny.gguf");
const flags = ["--threads", "1", "--ctx", "2048", "--max-seqs", "4"];
const prompts = 3;
const length = 1_000;
const blocks = Math.floor((length - 1) / 64);

const tokens = (seed: number) => drawnTokens(seed, { length, span: 200 });

async function ask(url: string, prompt: readonly number[], worker: string) {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: {
      ...{ "content-type": "application/json", "x-pixii-debug": "1" },
      "x-pixii-worker": worker,
    },
    body: JSON.stringify({
      ...{ model: "m", prompt, temperature: 0, max_tokens: 16, ignore_eos: true },
    }),
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.ok(response.headers.get("x-pixii-worker")!.startsWith(worker));
  const { choices, usage } = JSON.parse(text);
  return {
    text: choices[0].text as string,
    cachedTokens: usage.prompt_tokens_details.cached_tokens as number,
  };
}

Deno.test({
  name:
    "peer pull: what a worker of one kvbm has computed another kvbm pulls for its worker, the answer the same to the token",
  ignore: !servers || Deno.build.os !== "linux",
  async fn() {
    await using stack = await startStack();
    const near = stack.programs.find(({ name }) => name === "kvbm")!;
    const far = stack.addProgram("kvbm");
    const poolOf = async (kvbm: Program) => {
      await until("the kvbm is there", () => {
        return kvbm.lines.some((line) => line.includes(`"admin"`)) ||
          kvbm.lines.slice(-9).join("\n");
      }, 30_000);
      return await (await fetch(`${adminOf(kvbm)}/pool`)).json();
    };
    const start = async (kvbm: Program) => {
      const { socket } = await poolOf(kvbm);
      const worker = stack.addWorker({ model, name: "m", flags: [...flags, "--kvbm", socket] });
      await until("the worker has a host tier", async () => {
        const { kvbm: used } = await details(worker);
        return (used ?? "none") !== "none";
      });
      return { worker, id: /"instance":"([0-9a-f]{16})"/.exec(worker.lines.join("\n"))![1] };
    };
    const details = async (program: Program): Promise<Record<string, any>> => {
      await until("it is there", () => program.lines.some((line) => line.includes('"admin"')));
      return (await (await fetch(`${adminOf(program)}/health`)).json()).details;
    };
    const a = await start(far);
    const b = await start(near);
    await stack.untilServed("m", 2);

    const answers = [];
    for (let seed = 1; seed <= prompts; seed++) {
      const prompt = tokens(seed);
      answers.push(await ask(stack.url, prompt, a.id));
      await until("its blocks are stored", async () => {
        const stored = await metricOf(far, "pixii_kvbm_block_commits_total");
        return stored >= seed * blocks || `${stored} of ${seed * blocks}`;
      });
    }
    const router = stack.programs.find(({ name }) => name === "router")!;
    await until("the router knows of them", async () => {
      const known = await metricOf(router, "pixii_router_index_blocks");
      return known >= prompts * blocks || `${known}`;
    });
    let cached = 0;
    for (let seed = 1; seed <= prompts; seed++) {
      const again = await ask(stack.url, tokens(seed), b.id);
      assert.equal(again.text, answers[seed - 1].text, `prompt ${seed}`);
      cached += again.cachedTokens;
    }
    const said = JSON.stringify((await poolOf(near)).peers);
    assert.ok(await metricOf(near, "pixii_kvbm_peer_blocks_total", 'way="in"') >= blocks, said);
    assert.ok(cached >= blocks * 64, `${cached} tokens of ${prompts} prompts; ${said}`);
    assert.ok(await metricOf(b.worker, "pixii_worker_host_blocks_total", 'event="onboarded"') > 0);
    assert.ok(await metricOf(b.worker, "pixii_worker_prompt_ends_total", 'event="taken"') > 0);
    await until("nothing is held", async () => {
      const pools = [await poolOf(near), await poolOf(far)];
      const held = pools.flatMap(({ blocks: { pinned } }) => [pinned]);
      return held.every((count) => count === 0) || `${held}`;
    });

    // The peer is gone: prompts are computed, every request succeeds, nothing stays held.
    await ask(stack.url, tokens(9), a.id);
    await far.end("SIGKILL");
    const alone = await ask(stack.url, tokens(9), b.id);
    assert.equal(alone.cachedTokens, 0);
    await until("nothing is held", async () => {
      const { blocks: { pinned } } = await poolOf(near);
      return pinned === 0 || `${pinned}`;
    });
  },
});
