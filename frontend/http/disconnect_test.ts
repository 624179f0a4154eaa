import assert from "node:assert/strict";
import { ok } from "@pixii/wire";
import { rawPost } from "../testing/raw_http.ts";
import { ScriptedApi } from "../testing/scripted_api.ts";
import { scriptedLongWord, scriptedVocabulary } from "../testing/scripted_vocabulary.ts";
import { headAfterMs } from "./generation_route.ts";
import { scriptedModel } from "../testing/scripted_world.ts";

const path = "/v1/completions";
const long = { model: scriptedModel, prompt: "Hi", max_tokens: 4_000 };

/** Waits until nothing of any request is left, at the frontend and at its workers. */
async function quiet(api: ScriptedApi): Promise<void> {
  await api.until(() => api.world.generator.live === 0);
  await api.until(() =>
    api.world.workers.every(({ streams }) =>
      [...streams.values()].every((one) => one.end !== undefined)
    )
  );
  await api.until(async () => await api.count("pixii_frontend_inflight_requests") === 0);
  assert.deepEqual(await api.problems(), []);
}

Deno.test("a client that leaves before or within its body leaves nothing", async () => {
  await using api = await ScriptedApi.open();
  const whole = rawPost(path, JSON.stringify(long));
  const starts = ["", "POST", whole.slice(0, 60), whole.slice(0, -30)];
  const chunked = rawPost(path, "").replace("content-length: 0", "transfer-encoding: chunked");
  for (const start of [...starts, chunked, `${chunked}5\r\n{"mod\r\n`]) {
    using client = await api.connect();
    await client.send(start);
  }
  const served = await api.post(path, { ...long, max_tokens: 1 });
  assert.equal(served.status, 200);
  await served.body?.cancel();
  await quiet(api);
  assert.equal(api.worker.requests.length, 1);
});

Deno.test("a client that leaves while its stream is placed or waits for its first token leaves nothing", async () => {
  for (const stream of [false, true]) {
    for (const where of ["router", "worker", "prefill"] as const) {
      await using api = await ScriptedApi.open();
      api.world.router.isDeaf = where === "router";
      api.worker.script.isDeaf = where === "worker";
      api.worker.script.isStuck = where === "prefill";
      using client = await api.connect();
      await client.send(rawPost(path, JSON.stringify({ ...long, stream, n: 2 })));
      await api.until(() => api.world.generator.live === 2);
      if (where === "prefill") await api.until(() => api.worker.streams.size === 2);
      client[Symbol.dispose]();
      await api.until(() => api.world.generator.live === 0);
      api.worker.script.isStuck = false;
      assert.equal(await api.count("pixii_frontend_disconnected_clients_total"), 1);
      await quiet(api);
    }
  }
});

Deno.test("a client of a long prompt that leaves is cancelled once its head is out", async () => {
  for (const stream of [false, true]) {
    for (const isStuck of [true, false]) {
      await using api = await ScriptedApi.open();
      api.worker.script.isStuck = isStuck;
      using client = await api.connect();
      const prompt = "x".repeat(3_000);
      await client.send(
        rawPost(path, JSON.stringify({ ...long, prompt, max_tokens: 900, stream })),
      );
      await api.until(() => api.worker.streams.size === 1);
      const leftMs = api.world.clock.nowMs();
      client[Symbol.dispose]();
      await api.until(() => api.world.generator.live === 0);
      assert.ok(api.world.clock.nowMs() - leftMs < headAfterMs + 1_000);
      api.worker.script.isStuck = false;
      await quiet(api);
      assert.equal(api.worker.cancelled.length, 1);
    }
  }
});

Deno.test("a client that leaves while its vocabulary loads starts nothing", async () => {
  const loaded = Promise.withResolvers<void>();
  const vocabulary = scriptedVocabulary();
  const asked = Promise.withResolvers<void>();
  await using api = await ScriptedApi.open({
    vocabulary: {
      ...vocabulary,
      encodeChat: (async () => {
        asked.resolve();
        await loaded.promise;
        return ok(Uint32Array.of(1));
      }) as unknown as typeof vocabulary.encodeChat,
    },
  });
  for (const stream of [false, true]) {
    using client = await api.connect();
    const body = { model: scriptedModel, messages: [{ role: "user", content: "" }], stream };
    await client.send(rawPost("/v1/chat/completions", JSON.stringify(body)));
    await asked.promise;
  }
  const left = api.world.clock.nowMs();
  await api.until(() => api.world.clock.nowMs() > left + 500);
  loaded.resolve();
  await api.until(async () => await api.count("pixii_frontend_requests_total") === 2);
  assert.equal(api.worker.requests.length, 0);
  await quiet(api);
});

Deno.test("a client that leaves in mid-stream is cancelled within one step", async () => {
  await using api = await ScriptedApi.open();
  const client = await api.connect();
  await client.send(rawPost(path, JSON.stringify({ ...long, stream: true })));
  await client.until((seen) => seen.includes('" 5"'));
  client[Symbol.dispose]();
  await quiet(api);
  assert.equal(api.worker.cancelled.length, 1);
  const [stream] = api.worker.streams.values();
  assert.ok(stream.made < 4_000);
  const abort = new AbortController();
  const response = await api.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...long, stream: true, n: 2 }),
    signal: abort.signal,
  });
  await response.body!.getReader().read();
  abort.abort();
  await quiet(api);
  assert.equal(api.worker.cancelled.length, 3);
  assert.equal(await api.count("pixii_frontend_disconnected_clients_total"), 2);
});

Deno.test("a client that leaves during a whole answer is cancelled, and counted once", async () => {
  await using api = await ScriptedApi.open();
  using client = await api.connect();
  await client.send(rawPost(path, JSON.stringify(long)));
  await api.until(() => [...api.worker.streams.values()].some((one) => one.made > 5));
  client[Symbol.dispose]();
  await quiet(api);
  assert.equal(api.worker.cancelled.length, 1);
  const text = await (await api.fetch("/metrics")).text();
  assert.match(text, /pixii_frontend_requests_total\{.*status="499".*\} 1/);
});

Deno.test("a reader that does not read is given up at a bound, and breaks no other", async () => {
  await using api = await ScriptedApi.open({ card: { contextLength: 1_000_000 } });
  api.worker.script.speak = () => scriptedLongWord;
  api.worker.script.tokensPerStep = 10;
  using slow = await api.connect();
  await slow.send(rawPost(path, JSON.stringify({ ...long, max_tokens: 100_000, stream: true })));
  const quick = api.events(path, { ...long, max_tokens: 500 });
  await api.until(async () => await api.count("pixii_frontend_disconnected_clients_total") === 1);
  const text = await (await api.fetch("/metrics")).text();
  assert.match(text, /pixii_frontend_disconnected_clients_total\{.*why="slow".*\} 1/);
  assert.equal((await quick).at(-1)?.data, "[DONE]");
  await quiet(api);
  const [stream] = api.worker.streams.values();
  assert.equal(stream.end?.reason, "cancelled");
  // What it reads now ends without the end of an answer.
  assert.equal(await slow.until((seen) => seen.includes("[DONE]")), false);
});

Deno.test("many clients that come and go at random leave nothing", async () => {
  await using api = await ScriptedApi.open({ workers: 2 });
  const { chance } = api.world;
  await Promise.all(Array.from({ length: 60 }, async (_, i) => {
    using client = await api.connect();
    const body = JSON.stringify({ ...long, max_tokens: 50, stream: i % 2 === 0, n: 1 + i % 3 });
    const request = rawPost(path, body);
    await client.send(
      request.slice(0, Math.ceil(request.length * Math.min(1, 2 * chance.float()))),
    );
    const leaveMs = api.world.clock.nowMs() + 600 * chance.float();
    await api.until(() => api.world.clock.nowMs() > leaveMs);
  }));
  await quiet(api);
});
