import assert from "node:assert/strict";
import { ScriptedApi } from "../testing/scripted_api.ts";
import { scriptedVocabulary } from "../testing/scripted_vocabulary.ts";
import { scriptedModel } from "../testing/scripted_world.ts";

type Row = readonly [
  name: string,
  fields: Record<string, unknown>,
  param: string | null,
  message: RegExp,
  code?: string,
  status?: number,
];

const chat = { model: scriptedModel, messages: [{ role: "user", content: "Hi" }] };
const text = { model: scriptedModel, prompt: "Hi" };
const said = (message: unknown) => ({ messages: [message] });
const part = (content: unknown) => said({ role: "user", content: [content] });
const unsupported = "unsupported_parameter";
const unknown = "unknown_parameter";

/** What both endpoints refuse. */
const common: readonly Row[] = [
  ["no model", { model: undefined }, "model", /is required/],
  ["null model", { model: null }, "model", /is required/],
  ["empty model", { model: "" }, "model", /is required/],
  ["odd model", { model: 7 }, "model", /must be a string, got 7/],
  ["unknown model", { model: "gpt-9" }, "model", /'gpt-9' does not exist/, "model_not_found", 404],
  ["temperature 2.5", { temperature: 2.5 }, "temperature", /at most 2, got 2\.5/],
  ["temperature -0.1", { temperature: -0.1 }, "temperature", /at least 0/],
  ["temperature text", { temperature: "1" }, "temperature", /must be a number, got '1'/],
  ["top_p 0", { top_p: 0 }, "top_p", /above 0/],
  ["top_p 1.1", { top_p: 1.1 }, "top_p", /at most 1/],
  ["top_k -2", { top_k: -2 }, "top_k", /at least -1/],
  ["top_k 1.5", { top_k: 1.5 }, "top_k", /an integer/],
  ["min_p 2", { min_p: 2 }, "min_p", /at most 1/],
  ["presence", { presence_penalty: 3 }, "presence_penalty", /at most 2/],
  ["frequency", { frequency_penalty: -3 }, "frequency_penalty", /at least -2/],
  ["repetition", { repetition_penalty: 0 }, "repetition_penalty", /at least 0\.01/],
  ["max_tokens -1", { max_tokens: -1 }, "max_tokens", /at least 1.*got -1/],
  ["max_tokens 0", { max_tokens: 0 }, "max_tokens", /at least 1/],
  ["max_tokens 1.5", { max_tokens: 1.5 }, "max_tokens", /an integer, got 1\.5/],
  ["max_tokens huge", { max_tokens: 1e300 }, "max_tokens", /at most 4294967295/],
  ["n 0", { n: 0 }, "n", /at least 1 and at most 16, got 0/],
  ["n 17", { n: 17 }, "n", /at most 16/],
  ["n true", { n: true }, "n", /an integer, got true/],
  ["stream text", { stream: "true" }, "stream", /true or false/],
  ["stream_options alone", { stream_options: {} }, "stream_options", /only allowed when stream/],
  [
    "stream_options odd",
    { stream: true, stream_options: { include_usag: true } },
    "stream_options.include_usag",
    /did you mean 'stream_options\.include_usage'/,
    unknown,
  ],
  [
    "include_usage odd",
    { stream: true, stream_options: { include_usage: 1 } },
    "stream_options.include_usage",
    /true or false, got 1/,
  ],
  ["stop number", { stop: 1 }, "stop", /a string or an array of strings/],
  ["stop empty", { stop: [""] }, "stop", /non-empty strings/],
  ["stop five", { stop: ["a", "b", "c", "d", "e"] }, "stop", /at most 4 strings, got 5/],
  ["stop mixed", { stop: ["a", null] }, "stop", /non-empty strings, got null/],
  ["stop long", { stop: "s".repeat(1025) }, "stop", /at most 1024 characters/],
  ["seed fraction", { seed: 0.5 }, "seed", /an integer/],
  ["seed huge", { seed: 1e30 }, "seed", /64-bit/],
  ["stop_token_ids", { stop_token_ids: [-1] }, "stop_token_ids", /token ids/],
  ["stop_token_ids high", { stop_token_ids: [32_000] }, "stop_token_ids", /below 32000/],
  ["logit_bias list", { logit_bias: [] }, "logit_bias", /an object, got an array/],
  ["logit_bias word", { logit_bias: { hello: 1 } }, "logit_bias", /token ids, got 'hello'/],
  ["logit_bias much", { logit_bias: { "1": 101 } }, "logit_bias.1", /at most 100/],
  ["logit_bias high", { logit_bias: { "32000": 1 } }, "logit_bias", /below 32000/],
  ["min_tokens", { min_tokens: 9, max_tokens: 8 }, "min_tokens", /at most max_tokens, 8/],
  ["ignore_eos", { ignore_eos: "no" }, "ignore_eos", /true or false/],
  ["user object", { user: {} }, "user", /must be a string, got an object/],
  ["typo", { temprature: 1 }, "temprature", /did you mean 'temperature'\?/, unknown],
  ["unknown", { frobnicate: null }, "frobnicate", /Unknown parameter: 'frobnicate'$/, unknown],
  ["constructor", { constructor: 1 }, "constructor", /Unknown parameter/, unknown],
  ["long name", { ["x".repeat(500)]: 1 }, `${"x".repeat(80)}...`, /Unknown parameter/, unknown],
  ["beam search", { use_beam_search: true }, "use_beam_search", /not built yet/, unsupported],
  ["guided", { guided_json: {} }, "guided_json", /not built yet/, unsupported],
  ["nvext odd", { nvext: { works: 1 } }, "nvext.works", /Unknown parameter/, unknown],
  ["nvext.worker", { nvext: { worker: "w" } }, "nvext.worker", /16 hex digits, got 'w'/],
  ["nvext.policy", { nvext: { policy: "best" } }, "nvext.policy", /one of kv, .*got 'best'/],
  ["nvext.session", { nvext: { session: "s".repeat(129) } }, "nvext.session", /1 to 128/],
  ["nvext.priority", { nvext: { priority: 1001 } }, "nvext.priority", /-1000 to 1000/],
  ["nvext.deny", { nvext: { deny: ["x"] } }, "nvext.deny", /worker ids/],
];

const chatOnly: readonly Row[] = [
  ["no messages", { messages: undefined }, "messages", /is required/],
  ["messages text", { messages: "Hi" }, "messages", /must be an array, got 'Hi'/],
  ["empty messages", { messages: [] }, "messages", /at least one message/],
  ["message text", said("Hi"), "messages[0]", /must be an object, got 'Hi'/],
  ["message null", said(null), "messages[0]", /must be an object, got null/],
  ["no role", said({ content: "Hi" }), "messages[0].role", /is required/],
  ["unknown role", said({ role: "boss", content: "" }), "messages[0].role", /one of .*'boss'/],
  ["odd role", said({ role: 1, content: "" }), "messages[0].role", /one of .*got 1/],
  ["tool role", said({ role: "tool", content: "" }), "messages[0].role", /not built/, unsupported],
  ["no content", said({ role: "user" }), "messages[0].content", /a string or an array/],
  ["odd content", said({ role: "user", content: 1 }), "messages[0].content", /got 1/],
  [
    "message field",
    said({ role: "user", content: "", nam: "x" }),
    "messages[0].nam",
    /did you mean 'messages\[0\]\.name'/,
    unknown,
  ],
  ["message name", said({ role: "user", content: "", name: 1 }), "messages[0].name", /a string/],
  [
    "tool calls",
    said({ role: "assistant", content: "", tool_calls: [{}] }),
    "messages[0].tool_calls",
    /tools are not built yet/,
    unsupported,
  ],
  ["part text", part("x"), "messages[0].content[0]", /must be an object, got 'x'/],
  ["part no type", part({ text: "x" }), "messages[0].content[0].type", /must be 'text', got null/],
  ["part no text", part({ type: "text" }), "messages[0].content[0].text", /is required/],
  ["part odd", part({ type: "text", text: 1 }), "messages[0].content[0].text", /a string/],
  [
    "part field",
    part({ type: "text", text: "", x: 1 }),
    "messages[0].content[0].x",
    /Unknown/,
    unknown,
  ],
  [
    "image",
    part({ type: "image_url", image_url: { url: "" } }),
    "messages[0].content[0].type",
    /'image_url' parts are not built yet/,
    unsupported,
  ],
  ["tools", { tools: [] }, "tools", /tools are not built yet; leave it out/, unsupported],
  ["tool_choice", { tool_choice: "auto" }, "tool_choice", /not built yet/, unsupported],
  ["functions", { functions: [] }, "functions", /not built yet/, unsupported],
  ["audio", { audio: {} }, "audio", /not built yet/, unsupported],
  [
    "json mode",
    { response_format: { type: "json_object" } },
    "response_format",
    /'json_object' is not built yet/,
    unsupported,
  ],
  [
    "json schema",
    { response_format: { type: "json_schema", json_schema: {} } },
    "response_format",
    /not built yet/,
    unsupported,
  ],
  ["format odd", { response_format: { type: "xml" } }, "response_format.type", /one of text/],
  ["format text", { response_format: "text" }, "response_format", /must be an object/],
  ["format empty", { response_format: {} }, "response_format.type", /is required/],
  ["logprobs number", { logprobs: 1 }, "logprobs", /true or false/],
  ["top_logprobs alone", { top_logprobs: 1 }, "top_logprobs", /only allowed when logprobs/],
  ["top_logprobs 21", { logprobs: true, top_logprobs: 21 }, "top_logprobs", /at most 20/],
  [
    "two limits",
    { max_tokens: 1, max_completion_tokens: 2 },
    "max_tokens",
    /differs from max_completion_tokens/,
  ],
  ["max_completion_tokens", { max_completion_tokens: 0 }, "max_completion_tokens", /at least 1/],
  ["prompt", { prompt: "x" }, "prompt", /Unknown parameter/, unknown],
  [
    "too long",
    said({ role: "user", content: "x".repeat(5_000) }),
    "messages",
    /maximum context length is 4096 tokens; the prompt has 5017/,
    "context_length_exceeded",
  ],
];

const textOnly: readonly Row[] = [
  ["no prompt", { prompt: undefined }, "prompt", /is required/],
  ["prompt number", { prompt: 1 }, "prompt", /a string, an array of strings, token ids/],
  ["prompt empty list", { prompt: [] }, "prompt", /got an array/],
  ["prompt mixed", { prompt: ["a", 1] }, "prompt", /got an array/],
  ["prompt fraction", { prompt: [0.5] }, "prompt", /got an array/],
  ["prompt negative", { prompt: [-1] }, "prompt", /got an array/],
  ["prompt empty", { prompt: "" }, "prompt", /must not be empty/],
  ["prompt one empty", { prompt: ["a", ""] }, "prompt[1]", /must not be empty/],
  ["prompt empty ids", { prompt: [[1], []] }, "prompt", /got an array/],
  ["prompt high id", { prompt: [1, 32_000] }, "prompt", /below 32000, got 32000/],
  ["prompts", { prompt: new Array(129).fill("a") }, "prompt", /at most 128 prompts, got 129/],
  ["prompts times n", { prompt: new Array(65).fill("a"), n: 2 }, "n", /at most 128, got 130/],
  ["suffix", { suffix: "x" }, "suffix", /insertion is not built yet/, unsupported],
  ["best_of", { best_of: 2 }, "best_of", /not built yet, got 2/, unsupported],
  ["best_of below n", { best_of: 1, n: 2 }, "best_of", /at least 2/],
  ["echo with logprobs", { echo: true, logprobs: 1 }, "echo", /not built yet/, unsupported],
  ["logprobs 6", { logprobs: 6 }, "logprobs", /at most 5/],
  ["logprobs flag", { logprobs: true }, "logprobs", /an integer, got true/],
  ["messages", { messages: [] }, "messages", /Unknown parameter/, unknown],
  [
    "full",
    { prompt: new Array(4096).fill(1) },
    "prompt",
    /the prompt has 4096/,
    "context_length_exceeded",
  ],
];

async function check(
  api: ScriptedApi,
  path: string,
  { body, row }: { body: Record<string, unknown>; row: Row },
): Promise<void> {
  const [name, fields, param, message, code = "invalid_request", status = 400] = row;
  const response = await api.post(path, { ...body, ...fields });
  const { error } = await response.json();
  assert.equal(response.status, status, `${name}: ${JSON.stringify(error)}`);
  assert.match(error.message, message, name);
  assert.ok(error.message.length < 500, name);
  assert.deepEqual(
    { ...error, message: "" },
    { message: "", type: "invalid_request_error", param, code },
    name,
  );
  assert.match(response.headers.get("x-request-id") ?? "", /^[0-9a-f]{32}$/);
  assert.equal(response.headers.get("content-type"), "application/json");
}

Deno.test("POST /v1/chat/completions refuses with status, param and code before any work", async () => {
  await using api = await ScriptedApi.open();
  for (const row of [...common, ...chatOnly]) {
    await check(api, "/v1/chat/completions", { body: chat, row });
  }
  assert.equal(api.worker.requests.length, 0);
  assert.deepEqual(await api.problems(), []);
});

Deno.test("POST /v1/completions refuses with status, param and code before any work", async () => {
  await using api = await ScriptedApi.open();
  for (const row of [...common, ...textOnly]) {
    await check(api, "/v1/completions", { body: text, row });
  }
  assert.equal(api.worker.requests.length, 0);
  assert.deepEqual(await api.problems(), []);
});

Deno.test("a model without a chat template refuses chats and says what works", async () => {
  await using api = await ScriptedApi.open({ vocabulary: scriptedVocabulary(false) });
  const { error } = await (await api.post("/v1/chat/completions", chat)).json();
  assert.match(error.message, /no chat template; use \/v1\/completions/);
  assert.equal((await api.post("/v1/completions", text)).status, 200);
});

Deno.test("a prompt over what one message carries is 413, wherever the context would take it", async () => {
  await using api = await ScriptedApi.open({ card: { contextLength: 1_000_000 } });
  const response = await api.post("/v1/completions", {
    ...{ ...text, prompt: new Array(130_000).fill(1) },
  });
  assert.equal(response.status, 413);
  const { error } = await response.json();
  assert.deepEqual([error.code, error.param], ["payload_too_large", "prompt"]);
});

Deno.test("hint headers are read, and refused by name", async () => {
  await using api = await ScriptedApi.open();
  const cases: [header: string, value: string, message: RegExp][] = [
    ["x-pixii-worker", "xyz", /16 hex digits, got 'xyz'/],
    ["x-pixii-policy", "best", /one of kv/],
    ["x-pixii-session", "s".repeat(129), /1 to 128/],
    ["x-pixii-priority", "1001", /-1000 to 1000/],
    ["x-pixii-priority", "high", /-1000 to 1000/],
  ];
  for (const [header, value, message] of cases) {
    const response = await api.post("/v1/completions", text, { [header]: value });
    const { error } = await response.json();
    assert.deepEqual([response.status, error.param], [400, header]);
    assert.match(error.message, message);
  }
  const good = {
    ...{ "x-pixii-worker": api.worker.id, "x-pixii-policy": "kv" },
    ...{ "x-pixii-session": "s1", "x-pixii-priority": "-7" },
  };
  const body = { ...text, max_tokens: 1, nvext: { session: "s2", priority: null } };
  assert.equal((await api.post("/v1/completions", body, good)).status, 200);
  assert.deepEqual(api.world.router.requests.at(-1)!.hints, {
    ...{ worker: api.worker.id, policy: "kv", session: "s2", priority: -7 },
  });
});
