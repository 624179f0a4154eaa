import assert from "node:assert/strict";
import { fail } from "@pixii/wire";
import { ScriptedApi } from "../testing/scripted_api.ts";

const path = "/v1/completions";
const text = { model: "test/model", prompt: "Hello", max_tokens: 1 };
const id = "0123456789abcdef";

/** The hints that the router was asked with last. */
const hintsOf = (api: ScriptedApi) => api.world.router.requests.at(-1)!.hints;

Deno.test("every hint may come by header", async () => {
  await using api = await ScriptedApi.open();
  const worker = api.worker.id;
  const good = await api.post(path, text, {
    ...{ "x-pixii-worker": worker, "x-pixii-dp-rank": "0", "x-pixii-policy": "kv" },
    ...{ "x-pixii-priority": "5", "x-pixii-session": "s", "x-pixii-session-mode": "hard" },
    ...{ "x-pixii-session-ttl-ms": "60000", "x-pixii-allow": `${worker}, ${id}` },
    ...{ "x-pixii-deny": id, "x-pixii-tolerate": "*, batch" },
    ...{ "x-pixii-tenant": "acme", "x-pixii-weights": "kv.temperature=0.5, kv.host-credit=0" },
    ...{ "x-pixii-queue-timeout-ms": "1500", "x-pixii-timeout-ms": "30000" },
    ...{ "x-pixii-prefill-worker": id },
  });
  assert.equal(good.status, 200);
  assert.deepEqual(hintsOf(api), {
    ...{ worker, dpRank: 0, policy: "kv", priority: 5, session: "s", sessionMode: "hard" },
    ...{ sessionTtlMs: 60_000, allow: [worker, id], deny: [id], tolerate: ["*", "batch"] },
    ...{ tenant: "acme", weights: { "kv.temperature": 0.5, "kv.host-credit": 0 } },
    ...{ queueMs: 1_500, prefillWorker: id },
  });
  const { remainingMs } = api.world.router.requests.at(-1)!;
  assert.ok(remainingMs > 20_000 && remainingMs <= 30_000, `${remainingMs} ms are left`);
});

Deno.test("every hint may come in nvext, which wins over headers", async () => {
  await using api = await ScriptedApi.open({ card: { labels: ["zone=a"] } });
  const worker = api.worker.id;
  const nvext = {
    ...{ worker, dp_rank: 0, policy: "kv", priority: 5, session: "s", session_mode: "soft" },
    ...{ session_ttl_ms: 60_000, allow: [worker], deny: [id], require: ["zone=a"] },
    ...{ tolerate: ["batch"], tenant: "acme", weights: { "kv.temperature": 0.5 } },
    ...{ queue_timeout_ms: 1_500, timeout_ms: 30_000, prefill_worker_id: id },
  };
  const headers = { "x-pixii-tenant": "other", "x-pixii-priority": "9" };
  assert.equal((await api.post(path, { ...text, nvext }, headers)).status, 200);
  assert.deepEqual(hintsOf(api), {
    ...{ worker, dpRank: 0, policy: "kv", priority: 5, session: "s", sessionMode: "soft" },
    ...{ sessionTtlMs: 60_000, allow: [worker], deny: [id], require: ["zone=a"] },
    ...{ tolerate: ["batch"], tenant: "acme", weights: { "kv.temperature": 0.5 } },
    ...{ queueMs: 1_500, prefillWorker: id },
  });
});

Deno.test("Dynamo's names are understood", async () => {
  await using api = await ScriptedApi.open();
  const worker = api.worker.id;
  const headers = {
    ...{ "x-dynamo-worker-instance-id": worker, "x-dynamo-dp-rank": "0" },
    ...{ "x-dynamo-request-priority": "3", "X-Dynamo-Session-ID": "s" },
  };
  assert.equal((await api.post(path, text, headers)).status, 200);
  assert.deepEqual(hintsOf(api), { worker, dpRank: 0, priority: 3, session: "s" });
  const nvext = { backend_instance_id: worker, agent_hints: { priority: -2 } };
  assert.equal((await api.post(path, { ...text, nvext })).status, 200);
  assert.deepEqual(hintsOf(api), { worker, priority: -2 });
});

Deno.test("a bad hint is refused by its name in OpenAI's shape", async () => {
  await using api = await ScriptedApi.open();
  const headers: [name: string, value: string, message: RegExp][] = [
    ["x-pixii-dp-rank", "-1", /integer from 0 to 65535, got '-1'/],
    ["x-pixii-session-mode", "sticky", /one of soft, hard/],
    ["x-pixii-session-ttl-ms", "1.5", /integer from 0 to 86400000/],
    ["x-pixii-allow", "a,b", /a list of worker ids of 16 hex digits/],
    ["x-pixii-require", "", /a list of at most 16 texts/],
    ["x-pixii-require", "zone=a b", /a list of at most 16 texts like key or key=value/],
    ["x-pixii-tolerate", "=x", /or \*/],
    ["x-pixii-tenant", "t".repeat(129), /1 to 128 characters/],
    ["x-pixii-weights", "kv.temperatur=1", /no weight 'kv.temperatur'; there are kv.temperature/],
    ["x-pixii-weights", "kv.temperature=hot", /a number from 0 to 100/],
    ["x-pixii-weights", "kv.temperature", /a number from 0 to 100/],
    ["x-pixii-queue-timeout-ms", "soon", /integer from 0 to 86400000/],
    ["x-pixii-timeout-ms", "0", /integer from 1 to 86400000/],
    ["x-pixii-prefill-worker", "p", /worker id/],
    ["x-dynamo-worker-instance-id", "42", /worker id/],
  ];
  for (const [name, value, message] of headers) {
    const answer = await api.post(path, text, { [name]: value });
    const { error } = await answer.json();
    assert.deepEqual([answer.status, error.param, error.code], [400, name, "invalid_request"]);
    assert.match(error.message, message);
  }
  const fields: [name: string, value: unknown, message: RegExp][] = [
    ["dp_rank", "0", /integer from 0 to 65535, got '0'/],
    ["session_mode", true, /one of soft, hard, got true/],
    ["require", "zone=a", /array of at most 16/],
    ["weights", ["kv.temperature"], /weights by name/],
    ["weights", { "kv.temperature": "1" }, /kv.temperature must be a number/],
    ["weights", { "kv.temperature": 101 }, /from 0 to 100, got 101/],
    ["timeout_ms", 0, /integer from 1/],
    ["tenant", "", /1 to 128 characters/],
  ];
  for (const [name, value, message] of fields) {
    const answer = await api.post(path, { ...text, nvext: { [name]: value } });
    const { error } = await answer.json();
    assert.deepEqual([answer.status, error.param], [400, `nvext.${name}`]);
    assert.match(error.message, message);
  }
});

Deno.test("adapters are refused: no engine serves them yet", async () => {
  await using api = await ScriptedApi.open();
  const byField = await api.post(path, { ...text, nvext: { adapter: "a" } });
  const byHeader = await api.post(path, text, { "x-pixii-adapter": "a" });
  for (const answer of [byField, byHeader]) {
    assert.deepEqual([answer.status, (await answer.json()).error.code], [
      400,
      "unsupported_parameter",
    ]);
  }
});

Deno.test("what the router sheds comes as 429 or 529 with Retry-After, at once and after a wait", async () => {
  await using api = await ScriptedApi.open();
  const { router } = api.world;
  const codes = [["rate_limited", 429, "rate_limit_error"], [
    "overloaded",
    529,
    "service_unavailable_error",
  ]] as const;
  for (const [code, status, type] of codes) {
    const { error } = fail(code, "Cannot place the request: try later", { retryAfterMs: 6_400 });
    for (const waits of [false, true]) {
      for (const stream of [false, true]) {
        router.refuse = waits ? undefined : error;
        router.isFull = waits;
        const asking = api.post(path, { ...text, stream });
        if (waits) {
          while (router.waiting.length === 0) await new Promise((resolve) => queueTask(resolve));
          router.settle(error);
        }
        const answer = await asking;
        assert.deepEqual([answer.status, answer.headers.get("retry-after")], [status, "7"]);
        const body = await answer.json();
        assert.deepEqual([body.error.code, body.error.type, body.error.param], [code, type, null]);
      }
    }
  }
});

/** Lets the sockets and the world's own time go on. */
function queueTask(done: (value: unknown) => void): void {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => {
    channel.port1.close();
    done(undefined);
  };
  channel.port2.postMessage(0);
}
