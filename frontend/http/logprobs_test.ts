import assert from "node:assert/strict";
import { ScriptedApi } from "../testing/scripted_api.ts";
import { scriptedModel } from "../testing/scripted_world.ts";

const chat = {
  path: "/v1/chat/completions",
  ask: { model: scriptedModel, messages: [{ role: "user", content: "Hi" }] },
};
const text = { path: "/v1/completions", ask: { model: scriptedModel, prompt: "Hi" } };
const entry = (token: string, id: number, bytes: number[]) => ({
  ...{ token, logprob: -id / 1024, bytes },
});

Deno.test("chat log-probabilities name tokens, their bytes and the runners-up", async () => {
  await using api = await ScriptedApi.open();
  api.say("aé");
  const ask = { ...chat.ask, logprobs: true, top_logprobs: 2 };
  const [choice] = (await (await api.post(chat.path, ask)).json()).choices;
  const a = entry("a", 0x61, [0x61]);
  const b = entry("b", 0x62, [0x62]);
  const c3 = entry("\\xc3", 0xc3, [0xc3]);
  const c4 = entry("\\xc4", 0xc4, [0xc4]);
  const a9 = entry("\\xa9", 0xa9, [0xa9]);
  const aa = entry("\\xaa", 0xaa, [0xaa]);
  assert.deepEqual(choice.logprobs, {
    content: [
      { ...a, top_logprobs: [a, b] },
      { ...c3, top_logprobs: [c3, c4] },
      { ...a9, top_logprobs: [a9, aa] },
    ],
    refusal: null,
  });
  const events = await api.events(chat.path, ask);
  const parts = events.slice(0, -1).flatMap(({ data }) =>
    JSON.parse(data).choices[0].logprobs?.content ?? []
  );
  assert.deepEqual(parts, choice.logprobs.content);
  const none = await (await api.post(chat.path, { ...chat.ask, logprobs: true })).json();
  assert.deepEqual(none.choices[0].logprobs.content[0], { ...a, top_logprobs: [] });
  const off = await (await api.post(chat.path, { ...chat.ask, logprobs: false })).json();
  assert.equal(off.choices[0].logprobs, null);
});

Deno.test("completion log-probabilities are lists, with the place of each token in the text", async () => {
  await using api = await ScriptedApi.open();
  api.say("aé!");
  const ask = { ...text.ask, logprobs: 1 };
  const [choice] = (await (await api.post(text.path, ask)).json()).choices;
  assert.equal(choice.text, "aé!");
  assert.deepEqual(choice.logprobs, {
    tokens: ["a", "bytes:\\xc3", "bytes:\\xa9", "!"],
    token_logprobs: [-0x61 / 1024, -0xc3 / 1024, -0xa9 / 1024, -0x21 / 1024],
    top_logprobs: [
      { a: -0x61 / 1024 },
      { "bytes:\\xc3": -0xc3 / 1024 },
      { "bytes:\\xa9": -0xa9 / 1024 },
      { "!": -0x21 / 1024 },
    ],
    text_offset: [0, 1, 1, 2],
  });
  const zero = await (await api.post(text.path, { ...text.ask, logprobs: 0 })).json();
  assert.deepEqual(zero.choices[0].logprobs.top_logprobs[0], { a: -0x61 / 1024 });
});

Deno.test("streamed log-probabilities join to those of the whole answer, stop strings or not", async () => {
  for (const [tokensPerStep, stop] of [[1, undefined], [3, "zz"], [2, "é?"]] as const) {
    await using api = await ScriptedApi.open();
    api.worker.script.tokensPerStep = tokensPerStep;
    api.say("née zé!");
    const ask = { ...text.ask, logprobs: 2, n: 2, stop };
    const whole = (await (await api.post(text.path, ask)).json()).choices;
    const events = await api.events(text.path, ask);
    const joined = [0, 1].map(() => ({
      ...{ tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] },
    })) as Record<string, unknown[]>[];
    for (const { data } of events.slice(0, -1)) {
      for (const { index, logprobs } of JSON.parse(data).choices) {
        for (const name of Object.keys(joined[index])) {
          joined[index][name].push(...logprobs?.[name] ?? []);
        }
      }
    }
    assert.deepEqual(joined, whole.map((one: { logprobs: unknown }) => one.logprobs));
  }
});
