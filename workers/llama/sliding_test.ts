import assert from "node:assert/strict";
import { promptOf } from "../engine_contract.ts";
import type { Engine } from "../engine.ts";
import { StreamCollector } from "../stream_collector_testing.ts";
import type { StreamResult } from "../stream_collector_testing.ts";
import { smollm2Path } from "../testing/smollm2_testing.ts";
import type { LlamaOptions } from "./engine.ts";
import { BlockTrial } from "./block_trial_testing.ts";
import { openLlama } from "./open_testing.ts";

const root = new URL("../../", import.meta.url);

/** The micro model with windows of 128 tokens, made once. */
const model: Promise<Uint8Array> = (async () => {
  const made = await import(new URL("models/micro_sliding.ts", root).href) as {
    microSlidingModel(text: string): Uint8Array;
  };
  return made.microSlidingModel(await Deno.readTextFile(new URL("LICENSE", root)));
})();

/** Runs `body` on an engine of that model. */
async function withSliding<Answer>(
  options: Partial<LlamaOptions>,
  body: (streams: StreamCollector, engine: Engine) => Promise<Answer>,
): Promise<Answer> {
  const path = await Deno.makeTempFile({ suffix: ".gguf" });
  await Deno.writeFile(path, await model);
  try {
    await using engine = await openLlama(path, options);
    return await body(new StreamCollector(engine), engine);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("llama's card of a model with sliding windows names the window, and its blocks can be kept", async () => {
  for (const kvType of ["f16", "q8_0"] as const) {
    await withSliding({ kvType }, (_streams, engine) => {
      const card = engine.card();
      assert.deepEqual([card.slidingWindow, card.reuse], [128, "blocks"]);
      // 4 layers of one head of 32 values, K and V; q8_0 adds a scale of two bytes to 32 bytes.
      assert.equal(card.kvBytesPerToken, 4 * 2 * (kvType === "f16" ? 64 : 34));
      assert.match(card.layoutFingerprint, new RegExp(`/${kvType}/64/`));
      // Two caches: 12 bytes of a cell for each, beside what every state has.
      const rows = 64 * card.kvBytesPerToken;
      const heads = 8 + 2 * (8 + 8 + 64 * 12) + 8 * 12;
      assert.ok(engine.hostTier!.blockBytes > rows + heads);
      return Promise.resolve();
    });
  }
});

Deno.test("llama with sliding windows says bit for bit the same with a cached prefix and without", async () => {
  const options = { deterministic: true, maxSeqs: 1, kvTokens: 3072 };
  const ask = (tokens: number[]) => ({
    tokens,
    sampling: { temperature: 1, logprobs: 5 },
    stop: { maxTokens: 24 },
  });
  const voice = ({ tokens, logprobs }: StreamResult) => ({ tokens, logprobs });
  const promptsOf = (engine: Engine) => {
    const whole = promptOf(engine, 700, 3);
    // Its common part ends windows before the end of the first.
    return { whole, fork: [...whole.slice(0, 320), ...promptOf(engine, 300, 9)] };
  };
  const fork = await withSliding(options, async (streams, engine) => {
    return await streams.run(ask(promptsOf(engine).fork));
  });
  await withSliding(options, async (streams, engine) => {
    const prompts = promptsOf(engine);
    const cold = await streams.run(ask(prompts.whole));
    const warm = await streams.run(ask(prompts.whole));
    const again = await streams.run(ask(prompts.fork));
    assert.deepEqual([cold, warm, again].map((one) => one.cachedTokens), [0, 640, 320]);
    assert.deepEqual(voice(warm), voice(cold));
    assert.deepEqual(voice(again), voice(fork));
  });
});

Deno.test("llama with sliding windows keeps what lies outside the window when others look for room", async () => {
  const ask = (tokens: number[]) => ({ tokens, sampling: { logprobs: 1 }, stop: { maxTokens: 8 } });
  const options = { maxSeqs: 1, kept: 3, kvTokens: 2560 };
  const promptsOf = (engine: Engine) => {
    const first = promptOf(engine, 900, 3);
    return { first, second: [...first.slice(0, 256), ...promptOf(engine, 60, 5)] };
  };
  const cold = await withSliding(options, async (streams, engine) => {
    return await streams.run(ask(promptsOf(engine).second));
  });
  await withSliding(options, async (streams, engine) => {
    const { first, second } = promptsOf(engine);
    await streams.run(ask(promptOf(engine, 200, 7)));
    await streams.run(ask(promptOf(engine, 70, 8)));
    await streams.run(ask(first));
    await streams.run(ask(promptOf(engine, 70, 9)));
    // Takes the place of the oldest, is longer than that, and would go on in the cells that the first one's window has
    // passed, if one sequence alone held them.
    await streams.run(ask(promptOf(engine, 500, 10)));
    const warm = await streams.run(ask(second));
    assert.equal(warm.cachedTokens, 256);
    assert.deepEqual(warm.tokens, cold.tokens);
    // Elsewhere in the cache sums have another order: close, and not the same to the last bit.
    const off = warm.logprobs.map((one, i) => Math.abs(one.logprob! - cold.logprobs[i].logprob!));
    assert.ok(Math.max(...off) < 0.02, `${off}`);
  });
});

Deno.test("openLlamaEngine() refuses more sequences than a model with sliding windows can have", async () => {
  await assert.rejects(
    withSliding({ maxSeqs: 97 }, () => Promise.resolve()),
    /lower --max-seqs to 96/,
  );
});

/** Gemma's own weights, where somebody has them: they are not ours to pass on, and their tokenizer is not known here. */
const gemma = Deno.env.get("PIXII_TEST_GEMMA");
const real = [["gemma", gemma], ["smollm2", smollm2Path()]] as const;
for (const [name, path] of real) {
  if (path === undefined) {
    if (name === "gemma") {
      console.log("skipped: Gemma's blocks, for want of PIXII_TEST_GEMMA=FILE.gguf");
    }
    continue;
  }
  for (const kvType of ["f16", "q8_0"] as const) {
    Deno.test({
      name:
        `${name}'s blocks with ${kvType} KV come back bit for bit: the next token's logits are the same`,
      ignore: Deno.build.os !== "linux",
      async fn() {
        const poolPath = `/dev/shm/pixii-test-${crypto.randomUUID()}`;
        // Beyond Gemma's window of 512 tokens; SmolLM2 has none.
        const tokens = name === "gemma" ? 768 : 256;
        using trial = await BlockTrial.open(path, {
          ...{ tokens, cells: 2 * tokens + 256, poolPath, kvType, nowMs: () => 0 },
        });
        trial.keep();
        const { computed, restored } = trial.voices();
        assert.ok(computed.length > 40_000 && computed.some((bits) => bits !== 0));
        assert.deepEqual(restored, computed);
      },
    });
  }
}
