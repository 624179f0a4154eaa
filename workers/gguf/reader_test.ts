import assert from "node:assert/strict";
import fc from "fast-check";
import { bundledModel } from "../testing/models.ts";
import { ggufList, ggufNumber, ggufText, readGguf, writeGguf } from "./mod.ts";
import type { Gguf, GgufEntry, GgufTensorData } from "./mod.ts";
import type { Result } from "@pixii/wire";

/** A file that is there while the test runs. */
class Scratch implements Disposable {
  readonly path = Deno.makeTempFileSync({ suffix: ".gguf" });

  async read(bytes: Uint8Array): Promise<Result<Gguf>> {
    await Deno.writeFile(this.path, bytes);
    return await readGguf(this.path);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path);
  }
}

const entry: fc.Arbitrary<GgufEntry> = fc.oneof(
  fc.tuple(fc.constant("u32" as const), fc.nat(0xffffffff)),
  fc.tuple(fc.constant("f32" as const), fc.float({ noNaN: true })),
  fc.tuple(fc.constant("bool" as const), fc.boolean()),
  fc.tuple(fc.constant("text" as const), fc.string({ unit: "grapheme" })),
  fc.tuple(fc.constant("texts" as const), fc.array(fc.string({ unit: "grapheme" }))),
  fc.tuple(fc.constant("f32s" as const), fc.array(fc.float({ noNaN: true }))),
  fc.tuple(fc.constant("i32s" as const), fc.array(fc.integer())),
);
const metadata = fc.dictionary(
  fc.string({ unit: "grapheme-ascii", minLength: 1 }).filter((key) => key !== "__proto__"),
  entry,
  { maxKeys: 8 },
);
const tensor: fc.Arbitrary<GgufTensorData> = fc.record({
  name: fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 12 }),
  shape: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
  type: fc.constantFrom("f32" as const, "f16" as const),
}).map((one) => ({
  ...one,
  values: new Float32Array(one.shape.reduce((product, size) => product * size, 1)).fill(0.5),
}));

/** A small but complete file, whose every byte the damage tests may hit. */
function sample(): Uint8Array {
  return writeGguf(
    {
      "general.architecture": ["text", "llama"],
      "general.alignment": ["u32", 32],
      "tokenizer.ggml.tokens": ["texts", ["a", "b", "ab"]],
      "tokenizer.ggml.token_type": ["i32s", [1, 1, 3]],
      "llama.attention.layer_norm_rms_epsilon": ["f32", 1e-5],
    },
    [
      { name: "x", shape: [4, 2], type: "f16", values: new Float32Array(8) },
      { name: "y", shape: [3], type: "f32", values: new Float32Array(3) },
    ],
  );
}

/** A header alone, with these counts and nothing else behind them than `rest`. */
function headed(tensors: bigint, values: bigint, rest: readonly number[] = []): Uint8Array {
  const bytes = new Uint8Array(24 + rest.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x46554747, true);
  view.setUint32(4, 3, true);
  view.setBigUint64(8, tensors, true);
  view.setBigUint64(16, values, true);
  bytes.set(rest, 24);
  return bytes;
}

function u64(value: bigint): number[] {
  return [...new Uint8Array(new BigUint64Array([value]).buffer)];
}

function refused(result: Result<Gguf>, about: RegExp): void {
  assert.ok(!result.ok, "was read");
  assert.equal(result.error.code, "invalid_request");
  assert.match(result.error.message, about);
  assert.match(result.error.message, /; download the model again or name a GGUF file$/);
}

Deno.test("readGguf() reads what writeGguf() wrote", async () => {
  using scratch = new Scratch();
  await fc.assert(
    fc.asyncProperty(metadata, fc.array(tensor, { maxLength: 4 }), async (values, tensors) => {
      const bytes = writeGguf(values, tensors);
      const read = await scratch.read(bytes);
      assert.ok(read.ok, JSON.stringify(read));
      assert.equal(read.value.fileBytes, bytes.byteLength);
      assert.equal(read.value.version, 3);
      assert.deepEqual(
        [...read.value.metadata],
        Object.entries(values).map(([key, [, value]]) => [key, value]),
      );
      assert.deepEqual(
        read.value.tensors.map(({ name, shape, type }) => ({ name, shape, type })),
        tensors.map(({ name, shape, type }) => ({ name, shape, type: type === "f32" ? 0 : 1 })),
      );
      assert.ok(read.value.tensors.every((one) => one.offset % 32 === 0));
    }),
    { numRuns: 200 },
  );
});

Deno.test("readGguf() refuses every cut of a file", async () => {
  using scratch = new Scratch();
  const bytes = sample();
  const micro = await Deno.readFile(bundledModel("micro.gguf"));
  // The padding behind the last tensor may be missing: nothing of the model is.
  for (let length = 0; length < bytes.byteLength - 20; length++) {
    refused(await scratch.read(bytes.subarray(0, length)), /it /);
  }
  for (let length = 1; length < micro.byteLength - 32; length += 9973) {
    refused(await scratch.read(micro.subarray(0, length)), /it (ends inside|claims)/);
  }
});

Deno.test("readGguf() answers, never throws or hangs, whatever bytes are damaged", async () => {
  using scratch = new Scratch();
  const bytes = sample();
  const damage = fc.array(
    fc.tuple(fc.nat(bytes.byteLength - 1), fc.integer({ min: 0, max: 255 })),
    { minLength: 1, maxLength: 6 },
  );
  await fc.assert(
    fc.asyncProperty(damage, async (places) => {
      const broken = bytes.slice();
      for (const [at, value] of places) broken[at] = value;
      const read = await scratch.read(broken);
      if (!read.ok) refused(read, /^Cannot load /);
    }),
    { numRuns: 1000 },
  );
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (rest) => {
      const read = await scratch.read(headed(1n, 1n, [...rest]));
      if (!read.ok) refused(read, /^Cannot load /);
    }),
    { numRuns: 500 },
  );
});

Deno.test("readGguf() refuses huge counts before it makes anything of that size", async () => {
  using scratch = new Scratch();
  for (const count of [2n ** 64n - 1n, 2n ** 53n - 1n, 2n ** 40n, 2n ** 20n]) {
    refused(await scratch.read(headed(count, 0n)), /it (claims|holds)/);
    refused(await scratch.read(headed(0n, count)), /it (claims|holds)/);
    const key = [...u64(1n), 0x61];
    refused(await scratch.read(headed(0n, 1n, u64(count))), /it (claims|holds)/);
    const list = [...key, 9, 0, 0, 0, 0, 0, 0, 0, ...u64(count)];
    refused(await scratch.read(headed(0n, 1n, list)), /it (claims|holds)/);
  }
});

Deno.test("readGguf() reads no endless lists out of a large file of zeros", async () => {
  using scratch = new Scratch();
  const key = [...u64(1n), 0x61];
  const list = [...key, 9, 0, 0, 0, 0, 0, 0, 0, ...u64(60_000_000n)];
  for (const head of [headed(0n, 1n, list), headed(2_000_000n, 0n), headed(0n, 2_000_000n)]) {
    await Deno.writeFile(scratch.path, head);
    await Deno.truncate(scratch.path, 64 * 1024 * 1024);
    refused(await readGguf(scratch.path), /it claims \d+ elements, at most \d+ are read/);
  }
});

Deno.test("readGguf() says what a missing file, a folder and another format are", async () => {
  using scratch = new Scratch();
  const missing = await readGguf(`${scratch.path}.none`);
  assert.equal(missing.ok ? "" : missing.error.code, "not_found");
  refused(await readGguf("/"), /it is not a file/);
  refused(await scratch.read(new Uint8Array()), /it ends inside its header/);
  refused(await scratch.read(new TextEncoder().encode("PK\x03\x04 a zip")), /not begin with GGUF/);
  const old = headed(0n, 0n);
  old[4] = 1;
  refused(await scratch.read(old), /GGUF version 1; 2 and 3 are known/);
});

Deno.test("ggufText(), ggufNumber() and ggufList() give only what has their type", async () => {
  using scratch = new Scratch();
  const read = await scratch.read(sample());
  assert.ok(read.ok, JSON.stringify(read));
  assert.equal(ggufText(read.value, "general.architecture"), "llama");
  assert.equal(ggufText(read.value, "general.alignment"), undefined);
  assert.equal(ggufNumber(read.value, "general.alignment"), 32);
  assert.equal(ggufNumber(read.value, "none"), undefined);
  assert.deepEqual(ggufList(read.value, "tokenizer.ggml.tokens"), ["a", "b", "ab"]);
  assert.deepEqual(ggufList(read.value, "general.architecture"), []);
});
