import assert from "node:assert/strict";
import { findServer } from "@pixii/runtime";
import { bundledModel } from "@pixii/workers/testing";
import { startDev } from "./dev.ts";
import { drawnTokens } from "./drawn_tokens.ts";
import { adminOf, metricOf } from "./program_admin.ts";
import { type Program, type Stack, startStack } from "./stack.ts";
import { until } from "./until.ts";

const servers = await findServer("nats-server") !== undefined &&
  await findServer("etcd") !== undefined;
const ignore = !servers || Deno.build.os !== "linux";
const model = bundledModel("tiny.gguf");
const flags = ["--threads", "1", "--ctx", "2048", "--max-seqs", "4"];
const split = ["--split-max-local-prefill-length", "100", "--split-patience", "1000"];

interface Answer {
  readonly text: string;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly worker: string | undefined;
  readonly prefillWorker: string | undefined;
}

interface Ask {
  readonly model: string;
  readonly prompt: readonly number[];
  readonly more?: Record<string, unknown>;
  readonly signal?: AbortSignal;
}

async function ask(url: string, { model, prompt, more, signal }: Ask): Promise<Answer> {
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-pixii-debug": "1" },
    body: JSON.stringify({
      ...{ model, prompt, temperature: 0, max_tokens: 16, ignore_eos: true },
      ...more,
    }),
    signal,
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const { choices, usage } = JSON.parse(text);
  return {
    text: choices[0].text,
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.prompt_tokens_details.cached_tokens,
    worker: response.headers.get("x-pixii-worker") ?? undefined,
    prefillWorker: response.headers.get("x-pixii-prefill-worker") ?? undefined,
  };
}

/** A prompt of `length` tokens of the tiny model. */
const tokens = (seed: number, length: number) => drawnTokens(seed, { length, span: 200 });

async function details(program: Program): Promise<Record<string, any>> {
  return (await (await fetch(`${adminOf(program)}/health`)).json()).details;
}

async function usesKvbm(program: Program): Promise<true | string> {
  const found = await details(program);
  return found.kvbm !== "none" || JSON.stringify(found);
}

/** Waits until nothing is pinned, leased, booked or running; says what is left. */
async function untilNothingIsHeld(stack: Stack, workers: readonly Program[]): Promise<void> {
  const router = stack.programs.find(({ name }) => name === "router")!;
  await until("nothing is held any more", async () => {
    const kvbm = stack.programs.findLast(({ name }) => name === "kvbm")!;
    const pool = await (await fetch(`${adminOf(kvbm)}/pool`)).json();
    const leases = pool.workers.reduce(
      (sum: number, one: { leases: number }) => sum + one.leases,
      0,
    );
    const bookings = await metricOf(router, "pixii_router_ledger_bookings");
    const busy = await Promise.all(workers.map(async (one) => {
      const { running, waiting } = await details(one);
      return running + waiting;
    }));
    const held = [pool.blocks.pinned, leases, bookings, ...busy];
    return held.every((count) => count === 0) || `pinned, leases, bookings, busy: ${held}`;
  });
}

/** A prefill and a decode worker of `m`, and `plain`: the same model in one worker without a host tier. */
async function startSplit() {
  const stack = await startStack({ routerFlags: split });
  const start = (name: string, more: readonly string[]) =>
    stack.addWorker({ model, name, flags: [...flags, ...more] });
  const prefill = start("m", ["--role", "prefill"]);
  const decode = start("m", ["--role", "decode"]);
  start("plain", ["--kvbm", "off"]);
  await stack.untilServed("m", 2);
  await stack.untilServed("plain");
  for (const worker of [prefill, decode]) {
    await until("the worker has a host tier", () => usesKvbm(worker));
  }
  const router = stack.programs.find(({ name }) => name === "router")!;
  // The router has to know that both use the same kvbm.
  const settled = async (seed: number) =>
    (await ask(stack.url, { model: "m", prompt: tokens(seed, 130) })).prefillWorker !== undefined;
  let seed = 900;
  await until("the router splits", () => settled(seed++));
  return { stack, prefill, decode, router, start };
}

Deno.test({
  name:
    "disaggregation: split answers are those of one worker to the token; killed prefill worker and kvbm cost latency only",
  ignore,
  async fn() {
    const { stack, prefill, decode, start } = await startSplit();
    await using _ = stack;
    const same = async (prompt: readonly number[], more: Record<string, unknown> = {}) => {
      const answer = await ask(stack.url, { model: "m", prompt, more });
      const plain = await ask(stack.url, { model: "plain", prompt, more });
      assert.equal(answer.text, plain.text, `${prompt.length} tokens ${JSON.stringify(more)}`);
      return answer;
    };
    const onboarded = () => metricOf(decode, "pixii_worker_host_blocks_total", 'event="onboarded"');

    // Tails of one token, of a whole block, and in between; greedy and drawn with penalties.
    for (const length of [129, 192, 700]) {
      const before = await onboarded();
      const answer = await same(tokens(length, length));
      assert.ok(answer.prefillWorker !== undefined && answer.prefillWorker !== answer.worker);
      assert.equal(answer.cachedTokens, 0, "all of it was computed");
      // All whole blocks and the tail.
      assert.equal(await onboarded() - before, Math.ceil(length / 64));
    }
    const drawn = { temperature: 0.9, seed: 11, top_p: 0.95, frequency_penalty: 0.4 };
    const seeded = await same(tokens(5, 500), drawn);
    assert.ok(seeded.prefillWorker !== undefined);
    await untilNothingIsHeld(stack, [prefill, decode]);

    // What the prefill worker had is not computed anywhere; a prompt that the decode worker has is not split.
    const shared = tokens(6, 512);
    await same(shared);
    const longer = await same([...shared, ...tokens(7, 300)]);
    assert.ok(longer.prefillWorker !== undefined && longer.cachedTokens >= 448);
    assert.equal((await same([...shared, 301, 302])).prefillWorker, undefined);

    // A client that leaves in the middle of the prefill.
    const leave = new AbortController();
    const left = ask(stack.url, { model: "m", prompt: tokens(8, 1_900), signal: leave.signal });
    await until("the prefill worker computes", async () => (await details(prefill)).running === 1);
    leave.abort();
    await assert.rejects(left);
    await untilNothingIsHeld(stack, [prefill, decode]);

    // Killed in the middle of the prefill: what it gave is used, the rest is computed by the decode worker.
    const prompt = tokens(9, 1_900);
    const answer = same(prompt);
    await until("the prefill worker computes", async () => (await details(prefill)).running === 1);
    await prefill.end("SIGKILL");
    assert.equal((await answer).promptTokens, 1_900);
    await untilNothingIsHeld(stack, [decode]);
    // Without a prefill worker nothing is split.
    assert.equal((await same(tokens(10, 300))).prefillWorker, undefined);

    // A new one, and the kvbm is killed in the middle of a hand-over.
    const second = start("m", ["--role", "prefill"]);
    let seed = 20;
    await until("the new one computes", async () => {
      return (await same(tokens(seed++, 200))).prefillWorker !== undefined;
    });
    const last = same(tokens(11, 1_900));
    await until("it computes", async () => (await details(second)).running === 1);
    await stack.programs.find(({ name }) => name === "kvbm")!.end("SIGKILL");
    await last;
    await until("nothing runs", async () => {
      const [a, b] = [await details(second), await details(decode)];
      return a.running + a.waiting + b.running + b.waiting === 0;
    });
    stack.addProgram("kvbm");
    await until("the workers found the new one", () => usesKvbm(decode));
    await until("prompts are split again", async () => {
      return (await same(tokens(seed++, 200))).prefillWorker !== undefined;
    });
    await untilNothingIsHeld(stack, [second, decode]);
  },
});

Deno.test({
  name:
    "disaggregation: between workers of two kvbms the blocks go over TCP, and the answer is that of one worker",
  ignore,
  async fn() {
    await using stack = await startStack({ routerFlags: [...split, "--split-across-hosts"] });
    const near = stack.programs.find(({ name }) => name === "kvbm")!;
    const far = stack.addProgram("kvbm");
    const socketOf = async (kvbm: Program) => {
      await until(
        "the kvbm is there",
        () => kvbm.lines.some((line) => line.includes('"admin"')) || kvbm.lines,
        30_000,
      );
      return (await (await fetch(`${adminOf(kvbm)}/pool`)).json()).socket as string;
    };
    const start = async (name: string, kvbm: Program | undefined, more: readonly string[]) => {
      const tier = ["--kvbm", kvbm === undefined ? "off" : await socketOf(kvbm)];
      return stack.addWorker({ model, name, flags: [...flags, ...tier, ...more] });
    };
    const prefill = await start("m", far, ["--role", "prefill"]);
    const decode = await start("m", near, ["--role", "decode"]);
    await start("plain", undefined, []);
    await stack.untilServed("m", 2);
    await stack.untilServed("plain");
    for (const worker of [prefill, decode]) {
      await until("the worker has a host tier", () => usesKvbm(worker));
    }
    const onboarded = () => metricOf(decode, "pixii_worker_host_blocks_total", 'event="onboarded"');
    let seed = 0;
    await until("prompts are split and handed over", async () => {
      const before = await onboarded();
      const prompt = tokens(++seed, 200);
      const answer = await ask(stack.url, { model: "m", prompt });
      return answer.prefillWorker !== undefined && await onboarded() - before === 4;
    });
    for (const length of [192, 700]) {
      const before = await onboarded();
      const prompt = tokens(length, length);
      const answer = await ask(stack.url, { model: "m", prompt });
      const plain = await ask(stack.url, { model: "plain", prompt });
      assert.equal(answer.text, plain.text, `${length} tokens`);
      assert.ok(answer.prefillWorker !== undefined);
      assert.equal(await onboarded() - before, Math.ceil(length / 64));
    }
    await untilNothingIsHeld(stack, [prefill, decode]);
    // The far kvbm is killed in the middle: the decode worker computes what has not come.
    const prompt = tokens(77, 1_900);
    const answer = ask(stack.url, { model: "m", prompt });
    await until("the prefill worker computes", async () => (await details(prefill)).running === 1);
    await far.end("SIGKILL");
    const plain = await ask(stack.url, { model: "plain", prompt });
    assert.equal((await answer).text, plain.text);
  },
});

Deno.test({
  name: "disaggregation: dev --prefill 1 --decode 1 in one process splits long prompts",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using dev = await startDev([
      ...["--topology", "one", "--model", `${model},ctx=2048`, "--served-name", "m"],
      ...["--prefill", "1", "--decode", "1"],
      ...["--router.split-max-local-prefill-length", "100"],
    ]);
    const { processes, url } = dev.facts;
    const roles = (processes as readonly { readonly role?: string }[]).flatMap(({ role }) =>
      role ?? []
    );
    assert.deepEqual(roles.sort(), ["decode", "prefill"]);
    let seed = 1;
    await until("prompts are split", async () => {
      const prompt = tokens(seed++, 300);
      return (await ask(url, { model: "m", prompt })).prefillWorker !== undefined;
    });
    const prompt = tokens(99, 400);
    const first = await ask(url, { model: "m", prompt });
    assert.ok(first.prefillWorker !== undefined);
    const again = await ask(url, { model: "m", prompt });
    assert.deepEqual([again.prefillWorker, again.text], [undefined, first.text]);
  },
});
