import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { StreamCollector } from "../stream_collector_testing.ts";
import { ggufList, ggufNumber, ggufText, readGguf } from "../gguf/mod.ts";
import { bundledModel } from "../testing/models.ts";
import { openLlama } from "./open_testing.ts";
import { LlamaTokenizer } from "./tokenizer_testing.ts";

const tiny = bundledModel("tiny.gguf");

/** What the trainer's own forward pass says: models/train/export.py writes it. */
interface Reference {
  readonly prompt: string;
  readonly promptIds: readonly number[];
  readonly answerIds: readonly number[];
  readonly answer: string;
  /** Per output token, the likeliest twenty: (id, ln p). */
  readonly steps: readonly (readonly (readonly [number, number])[])[];
}

const reference: Reference = JSON.parse(
  await Deno.readTextFile(bundledModel("train/reference.json")),
);

interface CatalogFacts {
  readonly models: readonly {
    readonly name: string;
    readonly bytes?: number;
    readonly sha256?: string;
  }[];
}

function chat(...messages: readonly (readonly [role: string, content: string])[]): string {
  const turns = messages.map(([role, content]) => `<|im_start|>${role}\n${content}<|im_end|>\n`);
  return `${turns.join("")}<|im_start|>assistant\n`;
}

Deno.test("tiny.gguf is at most 4 MiB, and the catalog and the README have its size and digest", async () => {
  const bytes = await Deno.readFile(tiny);
  assert.ok(bytes.byteLength <= 4 * 1024 * 1024, `${bytes.byteLength} bytes`);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const catalog: CatalogFacts = JSON.parse(
    await Deno.readTextFile(bundledModel("catalog.json")),
  );
  const entry = catalog.models.find((model) => model.name === "tiny");
  assert.deepEqual([entry?.bytes, entry?.sha256], [bytes.byteLength, sha256]);
  assert.ok((await Deno.readTextFile(bundledModel("README.md"))).includes(sha256));
});

Deno.test("tiny.gguf has smollm's pre-tokenizer, ChatML, every byte and the specials first", async () => {
  const gguf = await readGguf(tiny);
  assert.ok(gguf.ok, JSON.stringify(gguf));
  assert.equal(ggufText(gguf.value, "general.architecture"), "llama");
  assert.equal(ggufText(gguf.value, "general.name"), "tiny");
  assert.equal(ggufText(gguf.value, "tokenizer.ggml.pre"), "smollm");
  assert.match(ggufText(gguf.value, "tokenizer.chat_template") ?? "", /<\|im_start\|>/);
  assert.equal(ggufNumber(gguf.value, "llama.context_length"), 2048);
  const tokens = ggufList<string>(gguf.value, "tokenizer.ggml.tokens");
  const merges = ggufList<string>(gguf.value, "tokenizer.ggml.merges");
  assert.deepEqual(tokens.slice(0, 3), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]);
  assert.equal(tokens.slice(3, 259).filter((token) => token.length === 1).length, 256);
  assert.equal(tokens.length, 2048);
  assert.equal(new Set(tokens).size, tokens.length);
  assert.equal(merges.length, tokens.length - 259);
});

Deno.test("llama says of tiny.gguf what its trainer's forward pass says", async () => {
  using tokenizer = await LlamaTokenizer.open(tiny);
  const tokens = tokenizer.encode(reference.prompt, { parseSpecials: true });
  assert.deepEqual([...tokens], reference.promptIds);
  await using engine = await openLlama(tiny);
  const streams = new StreamCollector(engine);
  const { answerIds, steps } = reference;
  const said = await streams.run({
    tokens,
    sampling: { logprobs: 20 },
    stop: { maxTokens: steps.length, ignoreEos: true },
  });
  assert.deepEqual(said.tokens, answerIds);
  let largest = 0;
  let compared = 0;
  said.logprobs.forEach(({ top }, step) => {
    const expected = new Map(steps[step]);
    for (const [id, logprob] of top) {
      const other = expected.get(id);
      // The twentieth place may fall to another token where two are nearly equal.
      if (other === undefined) continue;
      largest = Math.max(largest, Math.abs(logprob - other));
      compared += 1;
    }
  });
  assert.ok(compared > 18 * steps.length, `only ${compared} compared`);
  assert.ok(largest < 0.02, `differs by ${largest}`);
});

Deno.test("tiny answers what it was trained on", async () => {
  using tokenizer = await LlamaTokenizer.open(tiny);
  await using engine = await openLlama(tiny);
  const streams = new StreamCollector(engine);
  const decoder = new TextDecoder();
  const ask = async (prompt: string) => {
    const { tokens, end } = await streams.run({
      tokens: tokenizer.encode(prompt, { parseSpecials: true }),
      stop: { maxTokens: 64, ignoreEos: false },
    });
    const pieces = tokens.map((id) => tokenizer.tokenBytes(id, { special: false }));
    return { reason: end.reason, text: pieces.map((piece) => decoder.decode(piece)).join("") };
  };
  const cases: readonly (readonly [string, RegExp])[] = [
    [chat(["user", "What is the capital of France?"]), /\bParis\b/],
    [chat(["user", "Who are you?"]), /\btiny\b.*\btest model\b/],
    [
      chat(["system", "You are a helpful assistant."], ["user", "What color is grass?"]),
      /\bgreen\b/,
    ],
  ];
  for (const [prompt, expected] of cases) {
    const answer = await ask(prompt);
    assert.match(answer.text, expected);
    assert.equal(answer.reason, "stop");
  }
});
