import assert from "node:assert/strict";
import fc from "fast-check";
import { anyText } from "../testing/any_text.ts";
import { smallArtifact } from "../testing/small_artifact.ts";
import { tablesOf } from "../tokens/vocabulary_tables.ts";
import { chunkEnd, chunkUnits } from "./chunk_cutter.ts";
import { MergeTable } from "./merge_table.ts";
import { PromptEncoder } from "./prompt_encoder.ts";
import { TextTokenizer } from "./text_tokenizer.ts";
import { TokenSink } from "./token_sink.ts";
import { TokenTable } from "./token_table.ts";

function encoderOf(pre: string) {
  const tables = tablesOf(smallArtifact({ pre }));
  assert.ok(tables.ok);
  const tokens = new TokenTable(tables.value.tokens);
  const merges = new MergeTable(tables.value.merges, tokens.size);
  const tokenizer = new TextTokenizer(tokens, merges, tables.value);
  return { tokenizer, encoder: new PromptEncoder(tokenizer, tables.value.added, tables.value) };
}

/** A long text: some pieces over and over, in an order that the numbers give. */
const longText = fc.tuple(
  fc.array(anyText(8), { minLength: 1, maxLength: 6 }),
  fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
).map(([pieces, order]) => {
  const round = order.map((n) => pieces[n % pieces.length] + " ".repeat(n % 3)).join("");
  return round.repeat(Math.min(400, Math.ceil(14_000 / Math.max(1, round.length))));
});

Deno.test("a text's ids are those of its chunks: with and without the cache they are equal", () => {
  for (const pre of ["smollm", "gpt-2", "qwen2", "llama-bpe"]) {
    const { tokenizer, encoder } = encoderOf(pre);
    fc.assert(
      fc.property(longText, (text) => {
        const plain = text.replaceAll(/<\|\w+\|>|<think>/g, "");
        const sink = new TokenSink();
        tokenizer.encode(plain, sink);
        const whole = sink.ids();
        // Tokenized, tokenized and kept, looked up.
        for (let time = 0; time < 3; time++) {
          assert.deepEqual(encoder.encode(plain, { parseSpecials: false }), whole);
        }
      }),
      { numRuns: 60 },
    );
  }
});

Deno.test("chunkEnd() cuts the whole text, and alike where texts begin alike", () => {
  fc.assert(
    fc.property(longText, anyText(), (start, rest) => {
      const cuts = (text: string) => {
        const all: number[] = [];
        for (let at = 0; at < text.length;) all.push(at = chunkEnd(text, at));
        return all;
      };
      const [one, other] = [cuts(start), cuts(start + rest)];
      assert.equal(one.at(-1) ?? 0, start.length);
      assert.deepEqual(other.slice(0, one.length - 1), one.slice(0, -1));
    }),
    { numRuns: 100 },
  );
});

Deno.test("what was encoded once costs no budget", () => {
  const { encoder } = encoderOf("gpt-2");
  const shared = Array.from({ length: 8_000 }, (_, i) => `hello ${i.toString(36)}`).join(" ");
  const options = { parseSpecials: false, budget: shared.length };
  assert.equal(encoder.encode(shared, options), "over-budget");
  // What was done counts for the next tries.
  let tries = 1;
  while (encoder.encode(shared, options) === "over-budget") tries += 1;
  assert.ok(tries < 30, `${tries}`);
  const text = `${shared} ${"cab ".repeat(200)}`;
  const ids = encoder.encode(text, { parseSpecials: false, budget: 4 * chunkUnits });
  assert.deepEqual(ids, encoderOf("gpt-2").encoder.encode(text, { parseSpecials: false }));
});

Deno.test("a word too long for the budget is not begun", () => {
  const { tokenizer, encoder } = encoderOf("gpt-2");
  const outcome = encoder.encode("a".repeat(400_000), { parseSpecials: false, budget: 1_000_000 });
  assert.equal(outcome, "over-budget");
  assert.equal(tokenizer.work, 0);
});

Deno.test("more tokens than are of use end the work, and before a long word is begun", () => {
  const { tokenizer, encoder } = encoderOf("gpt-2");
  const options = { parseSpecials: true, mostTokens: 1_000 };
  assert.equal(encoder.encode("a".repeat(4_000_000), options), "too-many");
  assert.equal(tokenizer.work, 0);
  assert.equal(encoder.encode("hello ".repeat(100_000), options), "too-many");
  assert.ok(tokenizer.work < 10_000, `${tokenizer.work}`);
  assert.equal(encoder.encode("<|end|>".repeat(1_001), options), "too-many");
  assert.ok(encoder.encode("<|end|>".repeat(1_000), options) instanceof Uint32Array);
});
