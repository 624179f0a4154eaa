import assert from "node:assert/strict";
import { virtualEpochMs } from "@pixii/runtime";
import { eventsOf, ScriptedApi } from "../testing/scripted_api.ts";
import { scriptedModel } from "../testing/scripted_world.ts";

const path = "/v1/chat/completions";
const ask = { model: scriptedModel, messages: [{ role: "user", content: "Hi" }] };
/** `user: Hi\nassistant:` */
const promptTokens = 19;
const created = virtualEpochMs / 1000;

Deno.test("POST /v1/chat/completions answers with the whole text, its reason and its tokens", async () => {
  await using api = await ScriptedApi.open();
  const response = await api.post(path, { ...ask, max_tokens: 3 });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/json");
  const body = await response.json();
  assert.match(body.id, /^chatcmpl-[0-9a-f]{32}$/);
  assert.ok(body.created >= created && body.created < created + 60);
  assert.deepEqual({ ...body, id: "", created: 0 }, {
    id: "",
    object: "chat.completion",
    created: 0,
    model: scriptedModel,
    system_fingerprint: "fp_dddddddddddd",
    choices: [{
      index: 0,
      message: { role: "assistant", content: " 0 1 2", refusal: null },
      logprobs: null,
      finish_reason: "length",
    }],
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: 3,
      total_tokens: promptTokens + 3,
      prompt_tokens_details: { cached_tokens: 1 },
    },
  });
  assert.deepEqual(await api.problems(), []);
});

Deno.test("POST /v1/chat/completions streams role, text, reason, usage and [DONE]", async () => {
  await using api = await ScriptedApi.open();
  api.say("Hey!");
  const response = await api.post(path, {
    ...{ ...ask, stream: true, stream_options: { include_usage: true } },
  });
  assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.equal(response.headers.get("cache-control"), "no-cache");
  const events = eventsOf(await response.text());
  assert.equal(events.at(-1)?.data, "[DONE]");
  const chunks = events.slice(0, -1).map(({ data }) => JSON.parse(data));
  const [{ id, created }] = chunks;
  for (const chunk of chunks) {
    assert.deepEqual(
      [chunk.id, chunk.created, chunk.object, chunk.model, chunk.system_fingerprint],
      [id, created, "chat.completion.chunk", scriptedModel, "fp_dddddddddddd"],
    );
  }
  const choice = (delta: unknown, reason: string | null = null) => [{
    ...{ index: 0, delta, logprobs: null, finish_reason: reason },
  }];
  assert.deepEqual(chunks.map(({ choices, usage }) => ({ choices, usage })), [
    { choices: choice({ role: "assistant", content: "" }), usage: null },
    { choices: choice({ content: "H" }), usage: null },
    { choices: choice({ content: "e" }), usage: null },
    { choices: choice({ content: "y" }), usage: null },
    { choices: choice({ content: "!" }), usage: null },
    { choices: choice({}, "stop"), usage: null },
    {
      choices: [],
      usage: {
        prompt_tokens: promptTokens,
        completion_tokens: 4,
        total_tokens: promptTokens + 4,
        prompt_tokens_details: { cached_tokens: 1 },
      },
    },
  ]);
  assert.deepEqual(await api.problems(), []);
});

Deno.test("a stream without include_usage says nothing of usage", async () => {
  await using api = await ScriptedApi.open();
  const events = await api.events(path, { ...ask, max_tokens: 2 });
  for (const { data } of events) assert.ok(!data.includes("usage"), data);
  assert.equal(events.length, 5);
});

Deno.test("n choices share the prompt and are all counted", async () => {
  await using api = await ScriptedApi.open();
  api.worker.script.speak = ({ choice }, index) => index <= choice ? 1000 + choice : undefined;
  const whole = await (await api.post(path, { ...ask, n: 3 })).json();
  assert.deepEqual(
    whole.choices.map((one: { message: { content: string } }) => one.message.content),
    [" 0", " 1 1", " 2 2 2"],
  );
  assert.deepEqual([whole.usage.prompt_tokens, whole.usage.completion_tokens], [promptTokens, 6]);
  assert.equal(whole.usage.prompt_tokens_details.cached_tokens, 1);

  const events = await api.events(path, {
    ...{ ...ask, n: 3, stream_options: { include_usage: true } },
  });
  const texts = ["", "", ""];
  const reasons: string[] = [];
  let usage: { completion_tokens: number } | undefined;
  for (const { data } of events.slice(0, -1)) {
    const chunk = JSON.parse(data);
    usage = chunk.usage ?? usage;
    for (const { index, delta, finish_reason } of chunk.choices) {
      texts[index] += delta.content ?? "";
      if (finish_reason !== null) reasons[index] = finish_reason;
    }
  }
  assert.deepEqual(texts, [" 0", " 1 1", " 2 2 2"]);
  assert.deepEqual(reasons, ["stop", "stop", "stop"]);
  assert.equal(usage?.completion_tokens, 6);
  assert.deepEqual(await api.problems(), []);
});

Deno.test("the seed, the sampling and the stop rule reach the worker", async () => {
  await using api = await ScriptedApi.open();
  await (await api.post(path, {
    ...{ ...ask, seed: -2, temperature: 0.5, top_p: 0.9, top_k: 40, min_p: 0.1 },
    ...{ presence_penalty: -1, frequency_penalty: 1.5, repetition_penalty: 1.1 },
    ...{ logit_bias: { "7": -100, "31999": 5 }, ignore_eos: true, min_tokens: 1 },
    ...{ stop_token_ids: [3, 4], max_completion_tokens: 5, logprobs: true, top_logprobs: 2 },
  })).body?.cancel();
  const [request] = api.worker.requests;
  assert.deepEqual(request.sampling, {
    ...{ seedHi: 0xffffffff, seedLo: 0xfffffffe, temperature: 0.5, topP: 0.9, topK: 40 },
    ...{ minP: 0.1, presencePenalty: -1, frequencyPenalty: 1.5, repetitionPenalty: 1.1 },
    ...{ logitBias: [[7, -100], [31999, 5]], logprobs: 2 },
  });
  assert.deepEqual(request.stop, {
    ...{ maxTokens: 5, minTokens: 1, stopTokenIds: [3, 4], ignoreEos: true },
  });
});

Deno.test("requests without a seed draw one each, one for all their choices", async () => {
  await using api = await ScriptedApi.open();
  for (let i = 0; i < 2; i++) await (await api.post(path, { ...ask, n: 2, max_tokens: 1 })).text();
  const seeds = api.worker.requests.map(({ sampling }) => `${sampling.seedHi} ${sampling.seedLo}`);
  assert.equal(seeds.length, 4);
  assert.equal(seeds[0], seeds[1]);
  assert.equal(new Set(seeds).size, 2);
});

Deno.test("known fields that change nothing, and nulls, are accepted", async () => {
  await using api = await ScriptedApi.open();
  const response = await api.post(path, {
    ...{ ...ask, max_tokens: 1, user: "u", metadata: { a: "b" }, store: true },
    ...{ service_tier: "auto", safety_identifier: "s", prompt_cache_key: "k" },
    ...{ temperature: null, stop: null, tools: null, n: null, stream: null, seed: null },
    ...{ response_format: { type: "text" }, prompt_cache_retention: "24h", logit_bias: null },
  });
  assert.equal(response.status, 200);
  await response.body?.cancel();
});

Deno.test("every role and shape of content of a message is read", async () => {
  await using api = await ScriptedApi.open();
  const response = await api.post(path, {
    model: scriptedModel,
    max_tokens: 1,
    messages: [
      { role: "developer", content: "D" },
      { role: "system", content: "S" },
      {
        role: "user",
        name: "n",
        content: [{ type: "text", text: "a" }, { type: "text", text: "b" }],
      },
      { role: "assistant", content: "A", refusal: null, annotations: [] },
      { role: "user", content: "" },
    ],
  });
  assert.equal(response.status, 200);
  await response.body?.cancel();
  const { tokens } = api.worker.requests[0];
  const ids = new Uint32Array(tokens.slice().buffer);
  assert.equal(
    String.fromCharCode(...ids),
    "system: D\nsystem: S\nuser: ab\nassistant: A\nuser: \nassistant:",
  );
});

Deno.test("output that would pass the context is clamped, and its reason is length", async () => {
  await using api = await ScriptedApi.open({ card: { contextLength: promptTokens + 2 } });
  const body = await (await api.post(path, { ...ask, max_tokens: 1_000_000 })).json();
  assert.equal(body.choices[0].finish_reason, "length");
  assert.equal(body.usage.completion_tokens, 2);
  const open = await (await api.post(path, ask)).json();
  assert.equal(open.usage.completion_tokens, 2);
});
