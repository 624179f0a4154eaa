import assert from "node:assert/strict";
import OpenAI from "openai";
import { findServer } from "@pixii/runtime";
import { smollm2Path } from "@pixii/workers/testing";
import { startStack } from "./stack.ts";
import { chat } from "./chat.ts";
import { until } from "./until.ts";

const model = smollm2Path();
const servers = await findServer("nats-server") !== undefined &&
  await findServer("etcd") !== undefined;
const ignore = model === undefined || !servers;
const name = "smollm2";
const flags = ["--threads", "1", "--ctx", "4096"];

function sdk(url: string): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
}

async function ask(client: OpenAI, content: string, more: Record<string, unknown> = {}) {
  return await client.chat.completions.create({
    model: name,
    messages: chat(content),
    temperature: 0,
    ...more,
  } as OpenAI.ChatCompletionCreateParamsNonStreaming);
}

Deno.test({
  name:
    "processes: the five programs answer over real NATS and etcd, streamed and not, and reuse KV",
  ignore,
  async fn() {
    await using stack = await startStack();
    stack.addWorker({ model: model!, name, flags });
    await stack.untilServed(name);
    const client = sdk(stack.url);

    const answer = await ask(client, "What is the capital of France?", { max_tokens: 32 });
    assert.match(answer.choices[0].message.content ?? "", /Paris/);
    assert.equal(answer.choices[0].finish_reason, "stop");
    assert.ok(answer.usage!.prompt_tokens > 20 && answer.usage!.completion_tokens > 3);

    const stream = await client.chat.completions.create({
      model: name,
      messages: chat("What is the capital of France?"),
      temperature: 0,
      max_tokens: 32,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage: OpenAI.CompletionUsage | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, answer.choices[0].message.content);
    assert.equal(usage?.completion_tokens, answer.usage!.completion_tokens);

    const long = "Tell me about rivers, lakes and seas. ".repeat(30);
    const cold = await ask(client, long, { max_tokens: 4 });
    const warm = await ask(client, long, { max_tokens: 4 });
    assert.equal(cold.usage!.prompt_tokens_details?.cached_tokens, 0);
    assert.ok(warm.usage!.prompt_tokens_details!.cached_tokens! >= 192);
    assert.equal(warm.choices[0].message.content, cold.choices[0].message.content);

    const choices = await ask(client, "Say a word.", {
      n: 3,
      max_tokens: 8,
      temperature: 1,
      seed: 7,
    });
    assert.deepEqual(choices.choices.map((choice) => choice.index), [0, 1, 2]);
    const again = await ask(client, "Say a word.", {
      n: 3,
      max_tokens: 8,
      temperature: 1,
      seed: 7,
    });
    assert.equal(again.usage!.completion_tokens, choices.usage!.completion_tokens);
  },
});

Deno.test({
  name:
    "processes: a second worker joins and the first leaves by SIGTERM under load; no request fails",
  ignore,
  async fn() {
    await using stack = await startStack();
    const first = stack.addWorker({ model: model!, name, flags });
    await stack.untilServed(name);
    const client = sdk(stack.url);
    let done = 0;
    let running = true;
    const lane = async (lane: number) => {
      while (running) {
        const answer = await ask(client, `Count from ${lane} to ten. Round ${done}.`, {
          max_tokens: 24,
        });
        assert.ok(answer.usage!.completion_tokens > 0);
        done += 1;
      }
    };
    const lanes = Promise.all([1, 2, 3, 4].map(lane));
    const failed = lanes.then(() => undefined, (error: Error) => error);
    await until("some requests are done", () => done >= 4 || done, 60_000);
    stack.addWorker({ model: model!, name, flags });
    await stack.untilServed(name, 2);
    assert.equal(await first.end("SIGTERM"), 0, first.lines.slice(-10).join("\n"));
    const before = done;
    await until("the second worker serves alone", () => done >= before + 6 || done, 60_000);
    running = false;
    assert.equal(await failed, undefined);
  },
});

Deno.test({
  name:
    "processes: a worker killed in mid-stream: the stream goes on elsewhere without gap or repeat",
  ignore,
  async fn() {
    await using stack = await startStack();
    const workers = [1, 2].map(() => stack.addWorker({ model: model!, name, flags }));
    await stack.untilServed(name, 2);
    const response = await fetch(`${stack.url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-pixii-debug": "1" },
      body: JSON.stringify({
        model: name,
        messages: chat("Write a long story about a fox."),
        temperature: 0,
        max_tokens: 300,
        ignore_eos: true,
        stream: true,
        stream_options: { include_usage: true },
      }),
    });
    assert.equal(response.status, 200);
    // Its rank follows the instance id.
    const instance = response.headers.get("x-pixii-worker")?.slice(0, 16);
    assert.ok(instance);
    let text = "";
    let killed = false;
    for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
      text += piece;
      if (!killed && text.split("data: ").length > 20) {
        killed = true;
        const victim: typeof workers[number] | undefined = workers.find((one) =>
          one.lines.some((line) => line.includes(instance))
        );
        assert.ok(victim, "the worker logs its instance id");
        await victim.end("SIGKILL");
      }
    }
    const chunks = text.split("\n").filter((line) => line.startsWith("data: {"))
      .map((line) => JSON.parse(line.slice(6)));
    const usage = chunks.find((chunk) => chunk.usage)?.usage;
    assert.equal(usage?.completion_tokens, 300, text.slice(-400));
    assert.ok(text.trimEnd().endsWith("data: [DONE]"));
  },
});

Deno.test({
  name: "processes: NATS killed for 3 s in mid-stream: the stream completes without gap or repeat",
  ignore,
  async fn() {
    await using stack = await startStack();
    stack.addWorker({ model: model!, name, flags });
    await stack.untilServed(name);
    const client = sdk(stack.url);
    const body = { max_tokens: 400, ignore_eos: true };
    const calm = await ask(client, "Write a long story about a fox.", body);
    const stream = await client.chat.completions.create({
      model: name,
      messages: chat("Write a long story about a fox."),
      temperature: 0,
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    } as OpenAI.ChatCompletionCreateParamsStreaming);
    let text = "";
    let usage: OpenAI.CompletionUsage | undefined;
    let outage: Promise<void> | undefined;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      usage = chunk.usage ?? usage;
      if (outage === undefined && text.length > 80) {
        outage = (async () => {
          await stack.nats.kill();
          await new Promise((resolve) => setTimeout(resolve, 3000));
          await stack.nats.restart();
        })();
      }
    }
    await outage;
    assert.equal(usage?.completion_tokens, 400);
    assert.equal(text, calm.choices[0].message.content);
    const after = await ask(client, "What is the capital of France?", { max_tokens: 16 });
    assert.match(after.choices[0].message.content ?? "", /Paris/);
  },
});

Deno.test({
  name: "processes: etcd killed and back: requests are served meanwhile, a new worker joins after",
  ignore,
  async fn() {
    await using stack = await startStack();
    stack.addWorker({ model: model!, name, flags });
    await stack.untilServed(name);
    const client = sdk(stack.url);
    await stack.etcd.kill();
    const during = await ask(client, "What is the capital of France?", { max_tokens: 16 });
    assert.match(during.choices[0].message.content ?? "", /Paris/);
    await stack.etcd.restart();
    stack.addWorker({ model: model!, name, flags });
    await stack.untilServed(name, 2);
    const after = await ask(client, "What is the capital of Italy?", { max_tokens: 16 });
    assert.match(after.choices[0].message.content ?? "", /Rome/);
  },
});

Deno.test({
  name:
    "processes: the router gone: the frontend falls back and says so; several models side by side",
  ignore,
  async fn() {
    await using stack = await startStack();
    stack.addWorker({ model: model!, name, flags });
    stack.addWorker({ model: model!, name: "org/other", flags });
    await stack.untilServed(name);
    await stack.untilServed("org/other");
    const client = sdk(stack.url);
    const listed = await client.models.list();
    assert.deepEqual(listed.data.map((one) => one.id).sort(), ["org/other", name]);
    assert.equal((await client.models.retrieve("org/other")).id, "org/other");
    const router = stack.programs.find((one) => one.name === "router")!;
    await router.end("SIGKILL");
    const answer = await ask(client, "What is the capital of France?", { max_tokens: 16 });
    assert.match(answer.choices[0].message.content ?? "", /Paris/);
    const metrics = await (await fetch(`${stack.url}/metrics`)).text();
    assert.match(metrics, /pixii_frontend_router_fallback_total(\{[^}]*\})? [1-9]/);
    stack.addProgram("router");
    const again = await ask(client, "What is the capital of Italy?", { max_tokens: 16 });
    assert.match(again.choices[0].message.content ?? "", /Rome/);
  },
});
