import assert from "node:assert/strict";
import { rawPost } from "../testing/raw_http.ts";
import { eventsOf, ScriptedApi } from "../testing/scripted_api.ts";
import type { ScriptedApiOptions } from "../testing/scripted_api.ts";
import { scriptedModel } from "../testing/scripted_world.ts";

const path = "/v1/completions";
const ask = { model: scriptedModel, prompt: "Hi", max_tokens: 8 };

/** An API whose one model sleeps. */
async function sleepingApi(wake?: ScriptedApiOptions["wake"]): Promise<ScriptedApi> {
  const api = await ScriptedApi.open({ workers: 0, wake });
  await api.world.scale(0);
  await api.until(() => api.world.directory.find(scriptedModel) !== undefined);
  return api;
}

const waiting = async (api: ScriptedApi) => await api.count("pixii_frontend_wake_waiting_requests");

Deno.test("requests for a model that sleeps are answered once it is awake, streamed and not", async () => {
  await using api = await sleepingApi();
  const { data } = await (await api.fetch("/v1/models")).json();
  assert.deepEqual([data[0].id, data[0].asleep], [scriptedModel, true]);
  const whole = api.post(path, ask);
  const streamed = api.post(path, { ...ask, stream: true });
  await api.until(async () => await waiting(api) === 2);
  const worker = await api.world.addWorker();
  worker.script.promptTokens = undefined;
  const answer = await (await whole).json();
  assert.equal(answer.usage.completion_tokens, 8);
  const events = eventsOf(await (await streamed).text());
  assert.equal(events.at(-1)?.data, "[DONE]");
  const { asleep } = await (await api.fetch(`/v1/models/${scriptedModel}`)).json();
  assert.equal(asleep, undefined);
  assert.deepEqual(await api.problems(), []);
});

Deno.test("a model that does not wake in time is 503 with Retry-After, in the time the client has; too many are 529", async () => {
  await using api = await sleepingApi({ timeoutMs: 3_000, most: 1 });
  for (const [stream, timeout_ms] of [[false, undefined], [true, 1_000]] as const) {
    const startMs = api.world.clock.nowMs();
    const waits = api.post(path, { ...ask, stream, nvext: { timeout_ms } });
    await api.until(async () => await waiting(api) === 1);
    const shed = await api.post(path, ask);
    assert.deepEqual([shed.status, shed.headers.get("retry-after")], [529, "10"]);
    await shed.body?.cancel();
    const late = await waits;
    const { error } = await late.json();
    assert.deepEqual([late.status, error.code, error.type], [
      ...[503, "no_worker", "service_unavailable_error"],
    ]);
    assert.match(error.message, /was asleep and is being started, and was not ready after/);
    assert.equal(late.headers.get("retry-after"), "10");
    const tookMs = api.world.clock.nowMs() - startMs;
    const limitMs = timeout_ms ?? 3_000;
    assert.ok(tookMs >= limitMs && tookMs < limitMs + 2_000, `it took ${tookMs} ms`);
  }
  assert.deepEqual(await api.problems(), []);
});

Deno.test("a client that leaves while its model wakes waits no more", async () => {
  await using api = await sleepingApi();
  for (const stream of [false, true]) {
    const client = await api.connect();
    await client.send(rawPost(path, JSON.stringify({ ...ask, stream })));
    await api.until(async () => await waiting(api) === 1);
    client[Symbol.dispose]();
    await api.until(async () => await waiting(api) === 0);
  }
  assert.match(await api.world.context.metrics.text(), /wake_waits_total\{.*end="cancelled".*\} 2/);
  assert.deepEqual(await api.problems(), []);
});
