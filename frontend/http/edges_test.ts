import assert from "node:assert/strict";
import { fail } from "@pixii/wire";
import { rawPost } from "../testing/raw_http.ts";
import { ScriptedApi } from "../testing/scripted_api.ts";
import { scriptedModel } from "../testing/scripted_world.ts";
import { lastReadMs } from "./api_server.ts";

const chatPath = "/v1/chat/completions";
const textPath = "/v1/completions";
const ask = { model: scriptedModel, prompt: "Hi" };

Deno.test("GET /v1/models lists what is served, with its context; one model is found by its id", async () => {
  await using api = await ScriptedApi.open({ card: { contextLength: 8192, createdAt: 17 } });
  const model = {
    ...{ id: scriptedModel, object: "model", created: 17, owned_by: "pixii" },
    ...{ context_length: 8192, max_model_len: 8192 },
  };
  const list = await (await api.fetch("/v1/models")).json();
  assert.deepEqual(list, { object: "list", data: [model] });
  for (const id of [scriptedModel, encodeURIComponent(scriptedModel)]) {
    const response = await api.fetch(`/v1/models/${id}?x=1`);
    assert.deepEqual([response.status, await response.json()], [200, model]);
  }
  for (const id of ["test", "test/model/", "%zz", "%ff", "a".repeat(3000)]) {
    const response = await api.fetch(`/v1/models/${id}`);
    const { error } = await response.json();
    assert.deepEqual(
      [response.status, error.code, error.param, error.type],
      [404, "model_not_found", "model", "invalid_request_error"],
    );
    assert.ok(error.message.length < 300);
  }
});

Deno.test("/health, /live and /metrics answer; HEAD gives their heads", async () => {
  await using api = await ScriptedApi.open();
  const health = await api.fetch("/health");
  assert.deepEqual([health.status, (await health.json()).status], [200, "ready"]);
  api.status = "draining";
  const draining = await api.fetch("/health");
  assert.deepEqual([draining.status, (await draining.json()).status], [503, "draining"]);
  assert.deepEqual(await (await api.fetch("/live")).json(), { status: "live" });
  const metrics = await api.fetch("/metrics");
  assert.match(metrics.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  assert.match(await metrics.text(), /# TYPE pixii_frontend_requests_total counter/);
  const head = await api.fetch("/metrics", { method: "HEAD" });
  assert.deepEqual([head.status, await head.text()], [200, ""]);
});

Deno.test("unknown routes are 404 and wrong methods 405 with Allow", async () => {
  await using api = await ScriptedApi.open();
  for (
    const path of ["/", "/v1", "/v1/", "/v1/models/", "/v1/chat/completions/", "/v2/%00", "//v1"]
  ) {
    const response = await api.fetch(path);
    const { error } = await response.json();
    assert.deepEqual([response.status, error.code, error.param], [404, "route_not_found", null]);
    assert.match(error.message, /there are \/v1\/chat\/completions, /);
  }
  const cases: [method: string, path: string, allow: string][] = [
    ["GET", chatPath, "POST"],
    ["PUT", textPath, "POST"],
    ["DELETE", "/v1/models/x", "GET, HEAD"],
    ["POST", "/health", "GET, HEAD"],
    ["OPTIONS", chatPath, "POST"],
    ["PATCH", "/v1/models", "GET, HEAD"],
  ];
  for (const [method, path, allow] of cases) {
    const response = await api.fetch(path, { method });
    const { error } = await response.json();
    assert.deepEqual([response.status, response.headers.get("allow")], [405, allow]);
    assert.equal(error.code, "method_not_allowed");
  }
});

Deno.test("bodies that are no JSON object are 400, 413 or 415 and never more", async () => {
  await using api = await ScriptedApi.open({ config: { "max-body": 4096 } });
  const json = { "content-type": "application/json" };
  const cases: [
    body: BodyInit,
    headers: Record<string, string>,
    status: number,
    code: string,
  ][] = [
    ["{}", { "content-type": "text/plain" }, 415, "unsupported_media_type"],
    ["a=b", { "content-type": "application/x-www-form-urlencoded" }, 415, "unsupported_media_type"],
    ["{}", { "content-type": "application/jsonx" }, 415, "unsupported_media_type"],
    ["", json, 400, "invalid_json"],
    ["{", json, 400, "invalid_json"],
    ['{"model":NaN}', json, 400, "invalid_json"],
    ['{"n":1e999}', json, 400, "invalid_request"],
    ['{"n":-0}', json, 400, "invalid_request"],
    ['{"n":123456789012345678901234567890}', json, 400, "invalid_request"],
    ['{"__proto__":{"model":"x"}}', json, 400, "unknown_parameter"],
    ['{"model":"a","model":"b"}', json, 400, "invalid_json"],
    ['{"model":"\\ud800"}', json, 400, "invalid_json"],
    ['{"model":"a\u0000b"}', json, 400, "invalid_json"],
    ['{"model":"a\\u0000b"}', json, 400, "invalid_request"],
    [new Uint8Array([0x22, 0xc3, 0x28, 0x22]), json, 400, "invalid_json"],
    [new Uint8Array(4097), json, 413, "payload_too_large"],
    ["[".repeat(2_000), json, 400, "invalid_json"],
  ];
  for (const path of [chatPath, textPath]) {
    for (const [body, headers, status, code] of cases) {
      const response = await api.fetch(path, { method: "POST", headers, body });
      const { error } = await response.json();
      assert.deepEqual([response.status, error.code], [status, code], String(body).slice(0, 40));
    }
    const none = await api.fetch(path, { method: "POST" });
    assert.equal(none.status, 415);
    await none.body?.cancel();
  }
  assert.deepEqual(await api.problems(), []);
});

Deno.test("a client hears 413 though it still sends", async () => {
  await using api = await ScriptedApi.open();
  const headers = { "content-type": "application/json" };
  for (const megabytes of [9, 40]) {
    const body = new Uint8Array(megabytes * 1024 * 1024);
    const response = await api.fetch(textPath, { method: "POST", headers, body });
    const { error } = await response.json();
    assert.deepEqual([response.status, error.code], [413, "payload_too_large"]);
    assert.match(error.message, /over 8388608 bytes; shorten it or raise --max-body/);
  }
});

Deno.test("100,000 levels of nesting are refused, and cost nothing", async () => {
  await using api = await ScriptedApi.open();
  for (const open of ["[", '{"a":']) {
    const response = await api.post(chatPath, open.repeat(100_000));
    const { error } = await response.json();
    assert.deepEqual([response.status, error.code], [400, "invalid_json"]);
    assert.match(error.message, /nested deeper than 64/);
  }
});

Deno.test("a chunked body is read like any other, and is bounded too", async () => {
  await using api = await ScriptedApi.open({ config: { "max-body": 1024 } });
  const chunked = (parts: readonly string[]) =>
    new ReadableStream({
      pull: (controller) => {
        const part = parts[sent++];
        if (part === undefined) controller.close();
        else controller.enqueue(new TextEncoder().encode(part));
      },
    });
  let sent = 0;
  const json = JSON.stringify({ ...ask, max_tokens: 1 });
  const init = { method: "POST", headers: { "content-type": "application/json" } };
  const parts = [json.slice(0, 5), json.slice(5, 9), json.slice(9)];
  const good = await api.fetch(textPath, { ...init, body: chunked(parts) });
  assert.equal(good.status, 200);
  await good.body?.cancel();
  sent = 0;
  const over = await api.fetch(textPath, {
    ...init,
    body: chunked(new Array(9).fill("x".repeat(200))),
  });
  assert.equal(over.status, 413);
  await over.body?.cancel();
});

Deno.test("a body that does not come is 408 after the body timeout, however it is sent", async () => {
  await using api = await ScriptedApi.open({ config: { "body-timeout": 2_000 } });
  const heads = [
    rawPost(textPath, "").replace("content-length: 0", "content-length: 100"),
    rawPost(textPath, "").replace("content-length: 0", "transfer-encoding: chunked"),
  ];
  for (const head of heads) {
    for (const rest of ["", head.includes("chunked") ? "1\r\n{\r\n" : "{"]) {
      using client = await api.connect();
      await client.send(head + rest);
      const { status, body, headers } = await client.answer();
      assert.equal(status, 408);
      assert.match(headers.get("connection")!, /close/);
      assert.equal(JSON.parse(body).error.code, "request_timeout");
      assert.match(headers.get("x-request-id")!, /^[0-9a-f]{32}$/);
    }
  }
  // One that is slow, but not too slow.
  using client = await api.connect();
  const whole = rawPost(textPath, JSON.stringify({ ...ask, max_tokens: 1 }));
  await client.send(whole.slice(0, -5));
  const { clock } = api.world;
  const sentMs = clock.nowMs();
  await api.until(() => clock.nowMs() > sentMs + 1_000);
  await client.send(whole.slice(-5));
  assert.equal((await client.answer()).status, 200);
  assert.deepEqual(await api.problems(), []);
});

Deno.test("x-request-id is echoed where it is fit, and made where not, on every answer", async () => {
  await using api = await ScriptedApi.open();
  const paths = ["/live", "/nope", "/v1/models", "/v1/models/nope", textPath];
  for (const path of paths) {
    const echoed = await api.fetch(path, { headers: { "x-request-id": "my-id.7" } });
    assert.equal(echoed.headers.get("x-request-id"), "my-id.7");
    await echoed.body?.cancel();
    for (const id of ["x".repeat(129), "a b", ""]) {
      const made = await api.fetch(path, { headers: { "x-request-id": id } });
      assert.match(made.headers.get("x-request-id")!, /^[0-9a-f]{32}$/);
      await made.body?.cancel();
    }
  }
  const stream = await api.post(textPath, { ...ask, stream: true }, { "x-request-id": "s1" });
  assert.equal(stream.headers.get("x-request-id"), "s1");
  await stream.text();
  const { requestId } = api.worker.requests[0];
  const line = api.world.log.lines.findLast(({ fields }) => fields.clientId === "s1");
  assert.equal(line?.fields.requestId, requestId);
  assert.equal(api.world.router.requests.at(-1)?.hints?.clientId, "s1");
});

Deno.test("x-pixii-debug tells worker and cached tokens by tier", async () => {
  await using api = await ScriptedApi.open();
  for (const stream of [false, true]) {
    const told = await api.post(textPath, { ...ask, stream }, { "x-pixii-debug": "1" });
    assert.equal(told.headers.get("x-pixii-worker"), `${api.worker.id}.0`);
    assert.equal(told.headers.get("x-pixii-cached-tokens"), "device=1,host=0,disk=0");
    await told.body?.cancel();
    const untold = await api.post(textPath, { ...ask, stream });
    assert.equal(untold.headers.get("x-pixii-worker"), null);
    await untold.body?.cancel();
  }
});

Deno.test("metrics count each request once, with its tokens and times", async () => {
  await using api = await ScriptedApi.open();
  for (const stream of [false, true]) {
    await (await api.post(textPath, { ...ask, n: 2, max_tokens: 3, stream })).text();
  }
  await (await api.post(textPath, { ...ask, n: 0 })).body?.cancel();
  assert.deepEqual(await api.problems(), []);
  const lines = (await (await api.fetch("/metrics")).text()).split("\n");
  const labels = (more: string) => `{endpoint="completions",model="${more}"`;
  const of = (start: string) => lines.find((line) => line.startsWith(`pixii_frontend_${start}`));
  assert.match(of(`requests_total${labels(scriptedModel)},status="200"`)!, / 2$/);
  assert.match(of(`requests_total${labels("")},status="400"`)!, / 1$/);
  const values: [name: string, value: string][] = [
    ["input_sequence_tokens_sum", "4"],
    ["output_sequence_tokens_sum", "12"],
    ["cached_tokens_total", "2"],
    ["time_to_first_token_seconds_count", "2"],
    ["inter_token_latency_seconds_count", "2"],
    ["request_duration_seconds_count", "2"],
  ];
  for (const [name, value] of values) {
    assert.equal(of(`${name}{model="${scriptedModel}"`)?.split(" ").at(-1), value, name);
  }
});

Deno.test("refusals of router and worker keep their status; those that pass with time say when", async () => {
  const cases: [
    code: Parameters<typeof fail>[0],
    status: number,
    type: string,
    after: string | null,
  ][] = [
    ["overloaded", 529, "service_unavailable_error", "3"],
    ["rate_limited", 429, "rate_limit_error", "3"],
    ["context_length_exceeded", 400, "invalid_request_error", null],
    ["internal", 500, "server_error", null],
  ];
  for (const [code, status, type, after] of cases) {
    await using api = await ScriptedApi.open();
    api.world.router.refuse = fail(code, "The router says no", { retryAfterMs: 2_100 }).error;
    for (const stream of [false, true]) {
      const response = await api.post(textPath, { ...ask, stream });
      const { error } = await response.json();
      assert.deepEqual([response.status, error.code, error.type], [status, code, type]);
      assert.equal(response.headers.get("retry-after"), after);
      assert.equal(response.headers.get("content-type"), "application/json");
    }
    assert.deepEqual(await api.problems(), []);
  }
});

Deno.test("no worker that takes work is 503 with Retry-After", async () => {
  await using api = await ScriptedApi.open();
  api.worker.script.refuse = fail("draining", "Going").error;
  const response = await api.post(textPath, ask);
  assert.equal(response.status, 503);
  assert.equal(response.headers.get("retry-after"), "1");
  await response.body?.cancel();
});

Deno.test("a draining frontend refuses new work with 503, and ends what runs", async () => {
  await using api = await ScriptedApi.open();
  const running = await api.post(textPath, { ...ask, max_tokens: 200, stream: true });
  api.isDraining = true;
  const refused = await api.post(textPath, ask);
  const { error } = await refused.json();
  assert.deepEqual([refused.status, error.code], [503, "draining"]);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal((await api.fetch("/v1/models")).status, 200);
  assert.ok((await running.text()).endsWith("data: [DONE]\n\n"));
});

Deno.test("hosts, paths and methods that are none break nothing", async () => {
  await using api = await ScriptedApi.open();
  const lines: [line: string, host: string, status: number][] = [
    ["GET /live HTTP/1.1", "[[[", 200],
    ["GET /live HTTP/1.1", "a b/c", 404],
    ["GET http://elsewhere/live HTTP/1.1", "test", 200],
    ["OPTIONS * HTTP/1.1", "test", 404],
    ["GET /v1/../live HTTP/1.1", "test", 404],
    ["GET /live?%zz#%zz HTTP/1.1", "test", 200],
    ["BREW /live HTTP/1.1", "test", 405],
  ];
  for (const [line, host, status] of lines) {
    using client = await api.connect();
    await client.send(`${line}\r\nhost: ${host}\r\n\r\n`);
    const answer = await client.answer();
    assert.equal(answer.status, status, line);
    assert.match(answer.headers.get("x-request-id")!, /^[0-9a-f]{32}$/);
  }
  assert.deepEqual(await api.problems(), []);
});

Deno.test("one connection takes many requests, refused ones between", async () => {
  await using api = await ScriptedApi.open();
  using client = await api.connect();
  for (let i = 0; i < 20; i++) {
    await client.send(rawPost(textPath, i % 2 === 0 ? "{" : JSON.stringify(ask)));
    assert.equal((await client.answer()).status, i % 2 === 0 ? 400 : 200);
  }
});

Deno.test("a taken port is a start error that says what to do", async () => {
  await using api = await ScriptedApi.open();
  const port = Number(new URL(api.url).port);
  await assert.rejects(
    ScriptedApi.open({ config: { port } }),
    (error: Error) =>
      error.name === "StartError" && /choose another with --port/.test(error.message),
  );
});

Deno.test("closing does not wait for ever for a client that does not read", async () => {
  const api = await ScriptedApi.open({ card: { contextLength: 1_000_000 } });
  using client = await api.connect();
  const prompt = new Array<number>(4_000).fill(20_000);
  await client.send(
    rawPost(textPath, JSON.stringify({ ...ask, prompt, echo: true, max_tokens: 1 })),
  );
  const { clock, log } = api.world;
  await api.until(async () => await api.count("pixii_frontend_requests_total") === 1);
  const closingMs = clock.nowMs();
  await api[Symbol.asyncDispose]();
  assert.ok(clock.nowMs() - closingMs < lastReadMs + 1_000);
  assert.ok(log.lines.some(({ message }) => message.startsWith("clients did not read")));
});
