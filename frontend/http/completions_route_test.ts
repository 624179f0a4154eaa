import assert from "node:assert/strict";
import { ScriptedApi } from "../testing/scripted_api.ts";
import { scriptedSpecial, scriptedTokens } from "../testing/scripted_vocabulary.ts";
import { scriptedModel } from "../testing/scripted_world.ts";

const path = "/v1/completions";
const ask = { model: scriptedModel, prompt: "Once" };

Deno.test("POST /v1/completions answers with text; the default is 16 tokens", async () => {
  await using api = await ScriptedApi.open();
  const body = await (await api.post(path, ask)).json();
  assert.match(body.id, /^cmpl-[0-9a-f]{32}$/);
  assert.deepEqual({ ...body, id: "", created: 0 }, {
    ...{ id: "", object: "text_completion", created: 0, model: scriptedModel },
    system_fingerprint: "fp_dddddddddddd",
    choices: [{
      index: 0,
      text: " 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
      logprobs: null,
      finish_reason: "length",
    }],
    usage: {
      ...{ prompt_tokens: 4, completion_tokens: 16, total_tokens: 20 },
      prompt_tokens_details: { cached_tokens: 1 },
    },
  });
  assert.deepEqual(await api.problems(), []);
});

Deno.test("a streamed completion's chunks hold text, then the reason, then usage", async () => {
  await using api = await ScriptedApi.open();
  const events = await api.events(path, {
    ...{ ...ask, max_tokens: 2, stream_options: { include_usage: true } },
  });
  assert.equal(events.at(-1)?.data, "[DONE]");
  const chunks = events.slice(0, -1).map(({ data }) => JSON.parse(data));
  for (const chunk of chunks) assert.equal(chunk.object, "text_completion");
  const choice = (text: string, reason: string | null = null) => [{
    ...{ index: 0, text, logprobs: null, finish_reason: reason },
  }];
  assert.deepEqual(
    chunks.map(({ choices }) => choices),
    [choice(" 0"), choice(" 1"), choice("", "length"), []],
  );
  assert.deepEqual(chunks.map(({ usage }) => usage?.total_tokens), [
    ...[undefined, undefined, undefined, 6],
  ]);
});

Deno.test("a prompt may be text, texts, token ids, or lists of them", async () => {
  const cases: [prompt: unknown, tokens: number[][]][] = [
    ["ab", [[97, 98]]],
    [["a", "b<|end|>"], [[97], [98, scriptedSpecial]]],
    [[1, 2, 31_999], [[1, 2, 31_999]]],
    [[[5], [6, 7]], [[5], [6, 7]]],
    ["é\u0000", [scriptedTokens("é\u0000")]],
  ];
  for (const [prompt, tokens] of cases) {
    await using api = await ScriptedApi.open();
    const response = await api.post(path, { ...ask, prompt, n: 2, max_tokens: 1 });
    assert.equal(response.status, 200);
    const { choices, usage } = await response.json();
    assert.equal(choices.length, 2 * tokens.length);
    assert.equal(usage.prompt_tokens, tokens.flat().length);
    assert.equal(usage.completion_tokens, choices.length);
    assert.equal(usage.prompt_tokens_details.cached_tokens, tokens.length);
    const asked = api.worker.requests.toSorted((a, b) => a.choice - b.choice)
      .map((request) => [...new Uint32Array(request.tokens.slice().buffer)]);
    assert.deepEqual(asked, tokens.flatMap((one) => [one, one]));
  }
});

Deno.test("echo repeats the prompt before every choice's text", async () => {
  await using api = await ScriptedApi.open();
  const prompt = ['Say "é"', "Two"];
  const body = await (await api.post(path, { ...ask, prompt, echo: true, max_tokens: 1 })).json();
  const texts = body.choices.map(({ text }: { text: string }) => text);
  assert.deepEqual(texts, ['Say "é" 0', "Two 0"]);
  const ids = await (await api.post(path, {
    ...{ ...ask, prompt: [72, 105, scriptedSpecial], echo: true, max_tokens: 1 },
  })).json();
  assert.equal(ids.choices[0].text, "Hi 0");
  const events = await api.events(path, { ...ask, prompt, echo: true, max_tokens: 1 });
  const streamed = ["", ""];
  for (const { data } of events.slice(0, -1)) {
    for (const { index, text } of JSON.parse(data).choices) streamed[index] += text;
  }
  assert.deepEqual(streamed, texts);
});

Deno.test("an echo larger than the backlog reaches a client that reads", async () => {
  await using api = await ScriptedApi.open({ card: { contextLength: 2_000_000 } });
  // Token ids are checked, not tokenized; each is a long word.
  const prompt = new Array<number>(1_500).fill(20_000);
  const events = await api.events(path, { ...ask, prompt, echo: true, max_tokens: 3 });
  const text = events.slice(0, -1).map(({ data }) => JSON.parse(data).choices[0].text).join("");
  assert.equal(text, `${"x".repeat(3_000_000)} 0 1 2`);
  assert.deepEqual(await api.problems(), []);
});

Deno.test("best_of equal to n changes nothing", async () => {
  await using api = await ScriptedApi.open();
  const body = await (await api.post(path, { ...ask, n: 2, best_of: 2, max_tokens: 1 })).json();
  assert.equal(body.choices.length, 2);
});
