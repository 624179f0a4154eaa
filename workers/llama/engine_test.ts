import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { promptOf } from "../engine_contract.ts";
import type { Engine } from "../engine.ts";
import { StreamCollector } from "../stream_collector_testing.ts";
import type { StreamResult } from "../stream_collector_testing.ts";
import { bundledModel } from "../testing/models.ts";
import { smollm2Path } from "../testing/smollm2_testing.ts";
import { openLlama } from "./open_testing.ts";
import type { LlamaOptions } from "./engine.ts";
import { LlamaTokenizer } from "./tokenizer_testing.ts";

const micro = bundledModel("micro.gguf");
const smollm2 = smollm2Path();

/** Runs `body` on an engine that is closed afterwards. */
async function withEngine<Answer>(
  path: string,
  options: Partial<LlamaOptions>,
  body: (streams: StreamCollector, engine: Engine) => Promise<Answer>,
): Promise<Answer> {
  await using engine = await openLlama(path, options);
  return await body(new StreamCollector(engine), engine);
}

/** Tokens and log-probabilities: equal to the last bit or not. */
function voice({ tokens, logprobs }: StreamResult) {
  return { tokens, logprobs };
}

Deno.test("llama's card says what the file is", async () => {
  await withEngine(micro, { ctx: 0 }, async (_streams, engine) => {
    const card = engine.card();
    const digestOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
    assert.equal(card.modelDigest, digestOf(await Deno.readFile(micro)));
    assert.equal(card.artifactDigest, digestOf(engine.artifact()));
    assert.equal(card.artifactBytes, engine.artifact().byteLength);
    assert.deepEqual(
      [card.contextLength, card.blockSize, card.totalBlocks, card.vocabSize, card.maxSeqs],
      [2048, 64, 32, 659, 4],
    );
    // 2 layers of 2 heads of 16 dimensions, K and V at f16.
    assert.equal(card.kvBytesPerToken, 2 * 2 * 16 * 2 * 2);
    assert.deepEqual(card.eosTokenIds, [0, 2]);
    assert.match(card.layoutFingerprint, /^llama\.cpp-0\.\d+\.\d+\/f16\/64\/tp1\/[0-9a-f]{16}$/);
  });
});

for (const length of [65, 100, 128, 129, 200]) {
  Deno.test(`llama says bit for bit the same with ${length} tokens from the cache and without`, async () => {
    const options = { deterministic: true, maxSeqs: 1 };
    const sampling = { temperature: 1, logprobs: 5 };
    const ask = (tokens: number[]) => ({ tokens, sampling, stop: { maxTokens: 40 } });
    const [prompt, cold, warm] = await withEngine(micro, options, async (streams, engine) => {
      const tokens = promptOf(engine, length, 3);
      const first = await streams.run(ask(tokens));
      return [tokens, first, await streams.run(ask(tokens))] as const;
    });
    assert.equal(cold.cachedTokens, 0);
    assert.equal(warm.cachedTokens, 64 * Math.floor((length - 1) / 64));
    assert.deepEqual(voice(warm), voice(cold));
    const shared = await withEngine(micro, options, async (streams, engine) => {
      await streams.run({ tokens: [...prompt.slice(0, 64), ...promptOf(engine, length, 9)] });
      return await streams.run(ask(prompt));
    });
    assert.equal(shared.cachedTokens, 64);
    assert.deepEqual(voice(shared), voice(cold));
  });
}

Deno.test("llama reuses decoded blocks, but not when it is deterministic", async () => {
  for (const deterministic of [false, true]) {
    await withEngine(micro, { deterministic }, async (streams, engine) => {
      const tokens = promptOf(engine, 70);
      const first = await streams.run({ tokens, stop: { maxTokens: 80 } });
      const again = await streams.run({ tokens: [...tokens, ...first.tokens] });
      assert.equal(again.cachedTokens, deterministic ? 64 : 128);
    });
  }
});

Deno.test("llama says the same to eight at once as to each alone, up to a near tie", async () => {
  await withEngine(micro, { maxSeqs: 8 }, async (streams, engine) => {
    const prompts = Array.from({ length: 8 }, (_, i) => promptOf(engine, 20 + 25 * i, i));
    const ask = (tokens: number[], tenantSalt: string) =>
      streams.run({ tokens, tenantSalt, sampling: { logprobs: 2 }, stop: { maxTokens: 48 } });
    const alone: StreamResult[] = [];
    for (const prompt of prompts) alone.push(await ask(prompt, "alone"));
    const together = await Promise.all(prompts.map((prompt) => ask(prompt, "together")));
    alone.forEach((one, i) => {
      const at = one.tokens.findIndex((token, k) => token !== together[i].tokens[k]);
      if (at < 0) return;
      // Another batch is another kernel: f16 logits differ by some thousandths.
      const [[, best], [, second]] = one.logprobs[at].top;
      assert.ok(best - second < 0.05, `stream ${i} differs at ${at} by ${best - second}`);
    });
  });
});

Deno.test("llama gives log-probabilities that are a softmax", async () => {
  await withEngine(micro, {}, async (streams, engine) => {
    const { tokens, logprobs } = await streams.run({
      tokens: promptOf(engine, 20),
      sampling: { logprobs: 20 },
      stop: { maxTokens: 12 },
    });
    assert.equal(logprobs.length, 12);
    logprobs.forEach(({ logprob, top }, i) => {
      assert.equal(top.length, 20);
      assert.deepEqual(top[0], [tokens[i], logprob], "the greedy choice is the first");
      const sum = top.reduce((total, [, value]) => total + Math.exp(value), 0);
      assert.ok(sum > 0 && sum <= 1 + 1e-6, `a sum of ${sum}`);
      for (let k = 1; k < top.length; k++) assert.ok(top[k][1] <= top[k - 1][1]);
    });
  });
});

Deno.test("llama's log-probabilities are those of all tokens of a small vocabulary", async () => {
  await withEngine(micro, {}, async (streams, engine) => {
    const tokens = promptOf(engine, 20);
    let sum = 0;
    // Each token is forced in turn; what is reported for it is the raw distribution's.
    for (let id = 0; id < engine.card().vocabSize; id++) {
      const sampling = { logprobs: 0, logitBias: [[id, 100]] as [number, number][] };
      const result = await streams.run({ tokens, sampling, stop: { maxTokens: 1 } });
      assert.deepEqual(result.tokens, [id], "a bias of 100 forces a token");
      sum += Math.exp(result.logprobs[0].logprob!);
    }
    assert.ok(Math.abs(sum - 1) < 1e-3, `all add up to ${sum}`);
  });
});

Deno.test("llama bans and penalizes tokens as asked", async () => {
  await withEngine(micro, {}, async (streams, engine) => {
    const tokens = promptOf(engine, 20);
    const stop = { maxTokens: 60 };
    const free = await streams.run({ tokens, stop });
    const [first] = free.tokens;
    const bans = { logitBias: [[first, -100]] as [number, number][] };
    assert.ok(!(await streams.run({ tokens, stop, sampling: bans })).tokens.includes(first));
    const kinds = async (sampling: Record<string, number>) =>
      new Set((await streams.run({ tokens, stop, sampling })).tokens).size;
    const few = new Set(free.tokens).size;
    assert.ok(await kinds({ frequencyPenalty: 2 }) >= few);
    assert.ok(await kinds({ repetitionPenalty: 10 }) > few);
    assert.ok(await kinds({ presencePenalty: 2 }) >= few);
  });
});

Deno.test("llama ends every stream when the cache is too small for all of them", async () => {
  await withEngine(micro, { ctx: 256, kvTokens: 256, maxSeqs: 4 }, async (streams, engine) => {
    const runs = Array.from(
      { length: 6 },
      (_, i) => streams.run({ tokens: promptOf(engine, 30 + 20 * i, i), stop: { maxTokens: 110 } }),
    );
    for (const { tokens, end } of await Promise.all(runs)) {
      assert.deepEqual([tokens.length, end.reason], [110, "length"]);
    }
    assert.deepEqual(engine.load().activeBlocks, 0);
  });
});

Deno.test("llama serves many more streams than it has places for", async () => {
  const settings = { maxSeqs: 3, maxWaiting: 200 };
  await withEngine(micro, settings, async (streams, engine) => {
    const runs = Array.from(
      { length: 100 },
      (_, i) => streams.run({ tokens: promptOf(engine, 1 + i, i), stop: { maxTokens: 1 + i % 7 } }),
    );
    (await Promise.all(runs)).forEach(({ tokens }, i) => assert.equal(tokens.length, 1 + i % 7));
  });
});

/** The tokens of a question in SmolLM2's chat template. */
async function question(path: string, text: string): Promise<Uint32Array> {
  using tokenizer = await LlamaTokenizer.open(path);
  const chat = "<|im_start|>system\nYou are a helpful AI assistant.<|im_end|>\n" +
    `<|im_start|>user\n${text}<|im_end|>\n<|im_start|>assistant\n`;
  return tokenizer.encode(chat, { parseSpecials: true });
}

async function textOf(path: string, tokens: readonly number[]): Promise<string> {
  using tokenizer = await LlamaTokenizer.open(path);
  const bytes = tokens.flatMap((id) => [...tokenizer.tokenBytes(id, { special: false })]);
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

Deno.test({
  name: "llama on SmolLM2 knows the capital of France, alone and among eight",
  ignore: smollm2 === undefined,
  fn: async () => {
    const path = smollm2!;
    const tokens = await question(path, "What is the capital of France?");
    const stop = { maxTokens: 32, ignoreEos: false };
    const [alone, together] = await withEngine(path, { maxSeqs: 8 }, async (streams) => [
      await streams.run({ tokens, stop }),
      await Promise.all(
        Array.from(
          { length: 8 },
          (_, choice) => streams.run({ tokens, choice, stop, tenantSalt: `tenant ${choice}` }),
        ),
      ),
    ]);
    assert.equal(alone.end.reason, "stop");
    for (const one of [alone, ...together]) assert.match(await textOf(path, one.tokens), /Paris/);
  },
});

Deno.test({
  name: "llama on SmolLM2 says bit for bit the same with a cached prefix and without",
  ignore: smollm2 === undefined,
  fn: async () => {
    const options = { deterministic: true, maxSeqs: 1 };
    await withEngine(smollm2!, options, async (streams, engine) => {
      const tokens = promptOf(engine, 150);
      const ask = { tokens, sampling: { temperature: 1, logprobs: 3 }, stop: { maxTokens: 16 } };
      const cold = await streams.run(ask);
      const warm = await streams.run(ask);
      assert.deepEqual([cold.cachedTokens, warm.cachedTokens], [0, 128]);
      assert.deepEqual(voice(warm), voice(cold));
    });
  },
});
