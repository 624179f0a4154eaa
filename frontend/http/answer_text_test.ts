import assert from "node:assert/strict";
import { ScriptedApi } from "../testing/scripted_api.ts";
import type { SseEvent } from "../testing/scripted_api.ts";
import { scriptedModel } from "../testing/scripted_world.ts";

const path = "/v1/chat/completions";
const ask = { model: scriptedModel, messages: [{ role: "user", content: "Hi" }] };

interface Chunk {
  readonly choices: readonly {
    readonly delta: { readonly content?: string };
    readonly finish_reason: string | null;
  }[];
}

function chunksOf(events: readonly SseEvent[]): Chunk[] {
  return events.slice(0, -1).map(({ data }) => JSON.parse(data));
}

/** The texts of a stream, one by one, and its reason. */
function pieces(events: readonly SseEvent[]): { texts: string[]; reason: string | null } {
  const choices = chunksOf(events).map((chunk) => chunk.choices[0]);
  const texts = choices.map((choice) => choice.delta.content ?? "").filter((text) => text !== "");
  return { texts, reason: choices.at(-1)!.finish_reason };
}

Deno.test("streamed text never splits a character, whatever the tokens do", async () => {
  await using api = await ScriptedApi.open();
  const said = 'aé 👩‍👩‍👧 \u0000"\\\u2028𝒳';
  api.say(said);
  const { texts } = pieces(await api.events(path, ask));
  assert.equal(texts.join(""), said);
  for (const text of texts) assert.ok(text.isWellFormed() && !text.includes("\ufffd"), text);
});

Deno.test("bytes that are no text become U+FFFD once it is sure, a half character at the end too", async () => {
  await using api = await ScriptedApi.open();
  const bytes = [0x61, 0xff, 0x62, 0xe2, 0x82];
  api.worker.script.speak = (_, index) => bytes[index];
  assert.equal(pieces(await api.events(path, ask)).texts.join(""), "a\ufffdb\ufffd");
  const whole = await (await api.post(path, ask)).json();
  assert.equal(whole.choices[0].message.content, "a\ufffdb\ufffd");
});

Deno.test("a stop string ends the text before it, wherever its parts fall", async () => {
  const cases: [said: string, stop: string | string[], text: string, reason: string][] = [
    ["one END two", "END", "one ", "stop"],
    ["one EN two", "END", "one EN two", "stop"],
    ["one EEND two", ["END"], "one E", "stop"],
    ["ENDx", "END", "", "stop"],
    ["xEND", "END", "x", "stop"],
    ["a\n\nb", ["zz", "\n\n"], "a", "stop"],
    ["abcabd", ["abd", "bca"], "a", "stop"],
    ["caf\u00e9!", "\u00e9", "caf", "stop"],
    ["ends with EN", "END", "ends with EN", "stop"],
  ];
  for (const tokensPerStep of [1, 2, 3, 100]) {
    await using api = await ScriptedApi.open();
    api.worker.script.tokensPerStep = tokensPerStep;
    for (const [said, stop, text, reason] of cases) {
      api.say(said);
      const streamed = pieces(await api.events(path, { ...ask, stop }));
      assert.deepEqual([streamed.texts.join(""), streamed.reason], [text, reason], said);
      const whole = await (await api.post(path, { ...ask, stop })).json();
      const [choice] = whole.choices;
      assert.deepEqual([choice.message.content, choice.finish_reason], [text, reason], said);
    }
    assert.deepEqual(await api.problems(), []);
  }
});

Deno.test("a stop string cancels the stream at its worker, and its tokens are counted", async () => {
  await using api = await ScriptedApi.open();
  const bytes = new TextEncoder().encode("abSTOP");
  api.worker.script.speak = (_, index) => bytes[index] ?? 0x7a;
  const body = await (await api.post(path, { ...ask, stop: "STOP", max_tokens: 4_000 })).json();
  assert.equal(body.choices[0].message.content, "ab");
  assert.equal(body.usage.completion_tokens, 6);
  await api.until(() => [...api.worker.streams.values()].every((one) => one.end !== undefined));
  const [stream] = api.worker.streams.values();
  assert.equal(stream.end?.reason, "cancelled");
  assert.ok(stream.made <= 8, `${stream.made} tokens were made`);
});

Deno.test("one step of several tokens is one chunk", async () => {
  await using api = await ScriptedApi.open();
  api.worker.script.tokensPerStep = 4;
  const { texts } = pieces(await api.events(path, { ...ask, max_tokens: 10 }));
  assert.deepEqual(texts, [" 0 1 2 3", " 4 5 6 7", " 8 9"]);
});

Deno.test("a migrated stream is one contiguous text", async () => {
  await using api = await ScriptedApi.open({ workers: 2 });
  const response = await api.post(path, { ...ask, max_tokens: 100, stream: true });
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (!text.includes('" 20"')) text += decoder.decode((await reader.read()).value);
  api.world.workers.find((one) => one.streams.size > 0)!.kill();
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    text += decoder.decode(next.value);
  }
  const said = [...text.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1]).join("");
  assert.equal(said, Array.from({ length: 100 }, (_, i) => ` ${i}`).join(""));
  assert.ok(text.endsWith("data: [DONE]\n\n"));
});

Deno.test("an error after the first byte is an error event in OpenAI's shape, and no [DONE]", async () => {
  await using api = await ScriptedApi.open();
  const response = await api.post(path, { ...ask, max_tokens: 4_000, stream: true });
  api.worker.script.failNext = {
    ...{ code: "invalid_request", message: "The engine refuses token 7" },
  };
  const text = await response.text();
  const blocks = text.split("\n\n");
  assert.equal(blocks.at(-1), "");
  const [event, data] = blocks.at(-2)!.split("\n");
  assert.equal(event, "event: error");
  assert.deepEqual(JSON.parse(data.slice("data: ".length)), {
    error: {
      message: "The engine refuses token 7",
      ...{ type: "invalid_request_error", param: null, code: "invalid_request" },
    },
  });
  assert.ok(!text.includes("[DONE]"));
  assert.deepEqual(await api.problems(), []);
});

Deno.test("one choice's error ends all choices of the request", async () => {
  await using api = await ScriptedApi.open();
  const response = await api.post(path, { ...ask, n: 3, max_tokens: 4_000, stream: true });
  api.worker.script.failNext = { code: "invalid_request", message: "no" };
  const text = await response.text();
  assert.equal(text.match(/event: error/g)?.length, 1);
  await api.until(() => [...api.worker.streams.values()].every((one) => one.end !== undefined));
  assert.deepEqual(await api.problems(), []);
});

Deno.test("the request's time is up: 504 before the head, a broken answer after it", async () => {
  await using api = await ScriptedApi.open({ config: { "request-timeout": 1_000 } });
  api.worker.script.isDeaf = true;
  for (const stream of [false, true]) {
    const early = await api.post(path, { ...ask, stream });
    const { error } = await early.json();
    assert.deepEqual([early.status, error.code, error.type], [504, "timeout", "server_error"]);
  }
  api.worker.script.isDeaf = false;
  const events = await api.events(path, { ...ask, max_tokens: 4_000 });
  assert.equal(events.at(-1)?.event, "error");
  assert.equal(JSON.parse(events.at(-1)!.data).error.code, "timeout");
  // An answer in one piece has sent its head by now: it breaks off, and cannot be taken for whole.
  const whole = await api.post(path, { ...ask, max_tokens: 4_000 });
  assert.equal(whole.status, 200);
  await assert.rejects(whole.text());
  assert.ok(api.world.log.lines.some(({ message }) => message === "an answer was cut"));
  assert.match(
    await (await api.fetch("/metrics")).text(),
    /pixii_frontend_requests_total\{.*status="504".*\} 4/,
  );
  assert.deepEqual(await api.problems(), []);
});

Deno.test("a long answer in one piece is whole, though its head goes ahead", async () => {
  await using api = await ScriptedApi.open();
  const response = await api.post(path, { ...ask, max_tokens: 300 });
  assert.equal(response.headers.get("content-length"), null);
  assert.equal(response.headers.get("content-type"), "application/json");
  const body = await response.json();
  assert.equal(body.usage.completion_tokens, 300);
  assert.ok(body.choices[0].message.content.endsWith(" 299"));
  const debug = await api.post(path, { ...ask, max_tokens: 300 }, { "x-pixii-debug": "1" });
  assert.equal(debug.headers.get("x-pixii-cached-tokens"), "device=1,host=0,disk=0");
  assert.equal((await debug.json()).usage.completion_tokens, 300);
});
