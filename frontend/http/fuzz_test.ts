import assert from "node:assert/strict";
import fc from "fast-check";
import { rawPost } from "../testing/raw_http.ts";
import { ScriptedApi } from "../testing/scripted_api.ts";
import { scriptedModel } from "../testing/scripted_world.ts";

const paths = ["/v1/chat/completions", "/v1/completions"] as const;

/** The answer must be whole and right in shape: 200 or a 4xx with an error of OpenAI's. */
async function checkAnswer(response: Response): Promise<void> {
  const text = await response.text();
  assert.match(response.headers.get("x-request-id")!, /^[0-9a-f]{32}$/);
  if (response.status === 200) {
    const isStream = response.headers.get("content-type")!.startsWith("text/event-stream");
    if (isStream) assert.ok(text.endsWith("data: [DONE]\n\n"), text.slice(-200));
    else assert.ok(Array.isArray(JSON.parse(text).choices));
    return;
  }
  assert.ok(response.status >= 400 && response.status < 500, `${response.status} ${text}`);
  const { error } = JSON.parse(text);
  assert.deepEqual(Object.keys(error), ["message", "type", "param", "code"]);
  assert.equal(error.type, "invalid_request_error");
  assert.ok(error.message.length > 0 && error.message.length < 1_000, error.message);
  assert.ok(error.param === null || typeof error.param === "string");
}

const anything = fc.jsonValue({ maxDepth: 4 });
const odd = fc.oneof(
  anything,
  fc.constantFrom(null, -0, 0, 1, 0.5, -1, 1e308, 2 ** 53, "", "text", [], {}, true, false),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string({ unit: "binary" }),
);
const rare = <T>(usual: T) => fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, odd);
const names = [
  ...["n", "stream", "stream_options", "temperature", "top_p", "top_k", "min_p", "stop", "seed"],
  ...["presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias", "logprobs"],
  ...["top_logprobs", "user", "metadata", "store", "service_tier", "nvext", "ignore_eos", "echo"],
  ...["min_tokens", "stop_token_ids", "best_of", "suffix", "tools", "response_format", "__proto__"],
  ...["max_completion_tokens", "constructor", "toString", "messages", "prompt"],
];
/** Requests that are nearly right: mostly good values of the needed fields, some odd ones of any others. */
const nearly = fc.record({
  model: rare<unknown>(scriptedModel),
  max_tokens: rare<unknown>(2),
  messages: fc.oneof(
    { weight: 4, arbitrary: fc.constant(undefined) },
    odd,
    fc.array(fc.record({ role: rare<unknown>("user"), content: odd })),
  ),
  prompt: fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, odd),
  rest: fc.array(fc.tuple(fc.constantFrom(...names), odd), { maxLength: 3 }),
});

Deno.test("any JSON value as a body is answered with 200 or a well-formed 4xx", async () => {
  await using api = await ScriptedApi.open();
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), anything, async (path, value) => {
      await checkAnswer(await api.post(path, JSON.stringify(value)));
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(await api.problems(), []);
});

Deno.test("nearly right requests are answered with 200 or a well-formed 4xx", async () => {
  await using api = await ScriptedApi.open();
  api.worker.script.tokensPerStep = 1_000;
  let served = 0;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), nearly, async (path, { rest, ...fields }) => {
      const good = path === "/v1/completions"
        ? { prompt: "Hi" }
        : { messages: [{ role: "user", content: "Hi" }] };
      const given = Object.entries(fields).filter(([, value]) => value !== undefined);
      // Pairs, not assignment: `__proto__` must be a field like any other.
      const body = Object.fromEntries([...Object.entries(good), ...given, ...rest]);
      const response = await api.post(path, JSON.stringify(body));
      if (response.status === 200) served += 1;
      await checkAnswer(response);
    }),
    { numRuns: 800 },
  );
  assert.ok(served > 50, `only ${served} were served`);
  await api.until(() => api.world.generator.live === 0);
  assert.deepEqual(await api.problems(), []);
});

Deno.test("any bytes as a body are answered with a well-formed 4xx", async () => {
  await using api = await ScriptedApi.open();
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: "binary" }).map((text) => new TextEncoder().encode(`{"model":${text}`)),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), body, async (path, bytes) => {
      const response = await api.fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: bytes as BodyInit,
      });
      assert.notEqual(response.status, 200);
      await checkAnswer(response);
    }),
    { numRuns: 300 },
  );
  assert.deepEqual(await api.problems(), []);
});

Deno.test("a good request cut or damaged anywhere leaves a server that serves", async () => {
  await using api = await ScriptedApi.open();
  const good = rawPost(
    "/v1/completions",
    JSON.stringify({ model: scriptedModel, prompt: "Hi", max_tokens: 2 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), async (at, byte) => {
      const bytes = new TextEncoder().encode(good);
      bytes[at] = byte;
      using client = await api.connect();
      await client.send(bytes.subarray(0, byte % 2 === 0 ? at + 1 : bytes.length));
    }),
    { numRuns: 200 },
  );
  using client = await api.connect();
  await client.send(good);
  assert.equal((await client.answer()).status, 200);
  await api.until(() => api.world.generator.live === 0);
  assert.deepEqual(await api.problems(), []);
});
