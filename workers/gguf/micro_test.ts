import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { bundledModel } from "../testing/models.ts";
import { ggufList, ggufText, readGguf } from "./mod.ts";

Deno.test("models/micro.ts writes micro.gguf byte for byte", async () => {
  const made = await import(new URL("../../models/micro.ts", import.meta.url).href) as {
    microModelOfRepository(): Promise<Uint8Array>;
  };
  const bytes = await made.microModelOfRepository();
  const stored = await Deno.readFile(bundledModel("micro.gguf"));
  assert.ok(bytes.byteLength < 1_000_000, `${bytes.byteLength} bytes`);
  assert.ok(Buffer.from(bytes).equals(stored), "run `deno run -A models/micro.ts`");
});

Deno.test("micro.gguf has every byte, its merges in rank order and the specials first", async () => {
  const gguf = await readGguf(bundledModel("micro.gguf"));
  assert.ok(gguf.ok, JSON.stringify(gguf));
  assert.equal(ggufText(gguf.value, "general.name"), "micro");
  const tokens = ggufList<string>(gguf.value, "tokenizer.ggml.tokens");
  const merges = ggufList<string>(gguf.value, "tokenizer.ggml.merges");
  assert.deepEqual(tokens.slice(0, 3), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]);
  assert.equal(new Set(tokens).size, tokens.length);
  assert.equal(tokens.length, 3 + 256 + merges.length);
  const known = new Set(tokens.slice(3, 259));
  merges.forEach((pair, rank) => {
    const [left, right] = pair.split(" ");
    assert.ok(known.has(left) && known.has(right), `merge ${rank}: ${pair}`);
    assert.equal(tokens[259 + rank], left + right);
    known.add(left + right);
  });
});
