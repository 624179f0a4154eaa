import assert from "node:assert/strict";
import OpenAI from "openai";
import { fail } from "@pixii/wire";
import { ScriptedApi } from "../testing/scripted_api.ts";
import type { ScriptedApiOptions } from "../testing/scripted_api.ts";
import { scriptedModel } from "../testing/scripted_world.ts";

interface Bench extends AsyncDisposable {
  readonly api: ScriptedApi;
  readonly client: OpenAI;
}

async function open(options?: ScriptedApiOptions): Promise<Bench> {
  const api = await ScriptedApi.open(options);
  const client = new OpenAI({ baseURL: `${api.url}/v1`, apiKey: "none", maxRetries: 0 });
  return { api, client, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

const messages = [{ role: "user" as const, content: "Hi" }];
const ask = { model: scriptedModel, messages };

Deno.test("SDK: models are listed and retrieved", async () => {
  await using bench = await open();
  const { client } = bench;
  const ids: string[] = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids, [scriptedModel]);
  assert.equal((await client.models.retrieve(scriptedModel)).id, scriptedModel);
  await assert.rejects(client.models.retrieve("no/such"), OpenAI.NotFoundError);
});

Deno.test("SDK: chats are created, and an answer can be sent back as a message", async () => {
  await using bench = await open();
  const first = await bench.client.chat.completions.create({ ...ask, max_completion_tokens: 2 });
  const { message, finish_reason } = first.choices[0];
  assert.deepEqual([message.content, finish_reason], [" 0 1", "length"]);
  assert.equal(first.usage?.prompt_tokens_details?.cached_tokens, 1);
  assert.match(first._request_id!, /^[0-9a-f]{32}$/);
  const more = [...messages, message, { role: "user" as const, content: "Go on" }];
  const next = await bench.client.chat.completions.create({
    ...ask,
    messages: more,
    max_tokens: 2,
  });
  assert.equal(next.choices[0].message.role, "assistant");
});

Deno.test("SDK: chats are streamed, with the stream helper too", async () => {
  await using bench = await open();
  const { api, client } = bench;
  api.say("Hello, 世界");
  const stream = await client.chat.completions.create({
    ...{ ...ask, stream: true, stream_options: { include_usage: true } },
  });
  let text = "";
  let total = 0;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    total = chunk.usage?.completion_tokens ?? total;
  }
  assert.equal(text, "Hello, 世界");
  assert.equal(total, 13);
  const helper = client.chat.completions.stream(ask);
  const whole = await helper.finalChatCompletion();
  assert.equal(whole.choices[0].message.content, "Hello, 世界");
  assert.equal(whole.choices[0].finish_reason, "stop");
});

Deno.test("SDK: completions are created and streamed", async () => {
  await using bench = await open();
  const { client } = bench;
  const request = { model: scriptedModel, prompt: ["a", "b"], max_tokens: 2, logprobs: 1 };
  const whole = await client.completions.create(request);
  assert.deepEqual(whole.choices.map(({ text }) => text), [" 0 1", " 0 1"]);
  assert.deepEqual(whole.choices[0].logprobs?.tokens, [" 0", " 1"]);
  const texts = ["", ""];
  for await (const chunk of await client.completions.create({ ...request, stream: true })) {
    for (const { index, text } of chunk.choices) texts[index] += text;
  }
  assert.deepEqual(texts, [" 0 1", " 0 1"]);
});

Deno.test("SDK: errors are of its own classes, with message, code and param", async () => {
  const cases: [
    error: Parameters<typeof fail>[0] | undefined,
    fields: Record<string, unknown>,
    kind: new (...args: never[]) => Error,
    status: number,
  ][] = [
    [undefined, { temperature: 2.5 }, OpenAI.BadRequestError, 400],
    [undefined, { model: "nope" }, OpenAI.NotFoundError, 404],
    ["rate_limited", {}, OpenAI.RateLimitError, 429],
    ["overloaded", {}, OpenAI.InternalServerError, 529],
    ["internal", {}, OpenAI.InternalServerError, 500],
  ];
  for (const [error, fields, kind, status] of cases) {
    await using bench = await open();
    const { api, client } = bench;
    if (error !== undefined) api.world.router.refuse = fail(error, "No, try later").error;
    for (const stream of [false, true]) {
      await assert.rejects(
        client.chat.completions.create({ ...ask, ...fields, stream }),
        (thrown: unknown) => {
          assert.ok(thrown instanceof kind, `${thrown}`);
          assert.ok(thrown instanceof OpenAI.APIError);
          assert.equal(thrown.status, status);
          assert.ok(thrown.code !== null && thrown.code !== undefined);
          assert.match(thrown.requestID!, /^[0-9a-f]{32}$/);
          return true;
        },
      );
    }
  }
});

Deno.test("SDK: a stream that breaks throws; it does not look whole", async () => {
  await using bench = await open();
  const { api, client } = bench;
  const stream = await client.chat.completions.create({ ...ask, stream: true, max_tokens: 4_000 });
  let chunks = 0;
  await assert.rejects(
    async () => {
      for await (const _chunk of stream) {
        chunks += 1;
        if (chunks === 3) {
          api.worker.script.failNext = { code: "invalid_request", message: "The engine broke" };
        }
      }
    },
    (thrown: unknown) => {
      assert.ok(thrown instanceof OpenAI.APIError, `${thrown}`);
      assert.match(thrown.message, /The engine broke/);
      return true;
    },
  );
  assert.ok(chunks >= 3);
  assert.deepEqual(await api.problems(), []);
});

Deno.test("SDK: an aborted stream and an aborted request are cancelled at the worker", async () => {
  await using bench = await open();
  const { api, client } = bench;
  const stream = await client.chat.completions.create({ ...ask, stream: true, max_tokens: 4_000 });
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content === " 3") stream.controller.abort();
  }
  await api.until(() => api.world.generator.live === 0);
  const abort = new AbortController();
  const whole = client.chat.completions.create({ ...ask, max_tokens: 4_000 }, {
    signal: abort.signal,
  });
  await api.until(() => api.worker.streams.size === 2);
  abort.abort();
  await assert.rejects(whole, OpenAI.APIUserAbortError);
  await api.until(() => api.worker.cancelled.length === 2);
  await api.until(() => api.world.generator.live === 0);
  await api.until(async () => await api.count("pixii_frontend_inflight_requests") === 0);
  assert.deepEqual(await api.problems(), []);
});
