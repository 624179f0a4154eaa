import assert from "node:assert/strict";
import fc from "fast-check";
import { WorkerTimes } from "@pixii/wire";
import { profileFromDynamo } from "./core/dynamo_profile.ts";
import { readNpy } from "./core/npy_array.ts";
import { readDynamoFiles } from "./dynamo_files.ts";

/** Written by NumPy 2 itself: `savez`, `savez_compressed`, with invented numbers. */
const testdata = new URL("./testdata/", import.meta.url).pathname;
const owner = {
  ...{ model: "m", modelDigest: "", source: "here", measuredAt: "2026-01-01T00:00:00Z" },
};

async function profileOf(path: string) {
  const arrays = await readDynamoFiles(path);
  assert.ok(arrays.ok, arrays.ok ? "" : arrays.error.message);
  const profile = profileFromDynamo(arrays.value, owner);
  assert.ok(profile.ok, profile.ok ? "" : profile.error.message);
  return profile.value;
}

Deno.test("a profile of Dynamo's profiler gives the times that it measured", async () => {
  const profile = await profileOf(`${testdata}results`);
  assert.deepEqual(profile.prefill.newTokens, [100, 1000, 2000, 3000]);
  assert.match(profile.about, /KV for 64000 tokens/);
  const times = new WorkerTimes(profile);
  assert.equal(times.prefillMs(2000, 0), 61);
  assert.equal(times.prefillMs(1500, 0), (30.5 + 61) / 2);
  // 5 + 0.5 n + context / 1000, as it was made.
  for (const [count, context] of [[1, 500], [16, 500], [16, 2000], [1, 2000]]) {
    const expected = 5 + 0.5 * count + context / 1000;
    assert.ok(Math.abs(times.decodeStepMs(count, count * context) - expected) < 1e-3);
  }
});

Deno.test("the mocker's grid gives times too: filled KV over context is the number of sequences", async () => {
  const profile = await profileOf(`${testdata}perf_data.npz`);
  assert.deepEqual(profile.decode.contextTokens, [500, 1000], "a context of one token is none");
  const times = new WorkerTimes(profile);
  assert.equal(times.prefillMs(150, 0), 7);
  assert.ok(Math.abs(times.decodeStepMs(16, 16 * 500) - (8 + 5)) < 1e-3);
});

Deno.test("JSON of a cluster's config map is read as the files are", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(
    `${folder}/prefill_raw_data.json`,
    JSON.stringify({ prefill_isl: [10, 20], prefill_ttft: [1, 2], prefill_thpt_per_gpu: [1, 1] }),
  );
  await Deno.writeTextFile(
    `${folder}/decode_raw_data.json`,
    JSON.stringify({
      ...{ x_kv_usage: [0.1, 0.2], y_context_length: [100, 100], z_itl: [4, 5] },
      ...{ max_kv_tokens: 1000 },
    }),
  );
  const profile = await profileOf(folder);
  await Deno.remove(folder, { recursive: true });
  assert.deepEqual(profile.decode, { sequences: [1, 2], contextTokens: [100], ms: [[4], [5]] });
});

Deno.test("what is no profile of Dynamo is refused in a sentence that names the file", async () => {
  const folder = await Deno.makeTempDir();
  const refusal = async (path: string) => {
    const arrays = await readDynamoFiles(path);
    if (!arrays.ok) return arrays.error.message;
    const profile = profileFromDynamo(arrays.value, owner);
    assert.equal(profile.ok, false);
    return profile.ok ? "" : profile.error.message;
  };
  assert.match(await refusal(`${folder}/none`), /Cannot read the profile of Dynamo at .*none: /);
  assert.match(await refusal(folder), /neither selected_prefill_interpolation\/raw_data.npz nor/);
  await Deno.writeTextFile(`${folder}/no.npz`, "no zip");
  assert.match(await refusal(`${folder}/no.npz`), /no\.npz: /);
  await Deno.writeTextFile(`${folder}/words.json`, '{"prefill_isl": ["a"]}');
  assert.match(await refusal(`${folder}/words.json`), /prefill_isl must be numbers/);
  const [whole] = [
    await Deno.readFile(`${testdata}results/selected_prefill_interpolation/raw_data.npz`),
  ];
  await Deno.writeFile(`${folder}/half.npz`, whole);
  assert.match(await refusal(`${folder}/half.npz`), /x_kv_usage, y_context_length/);
  await Deno.writeFile(`${folder}/cut.npz`, whole.subarray(0, 300));
  assert.match(await refusal(`${folder}/cut.npz`), /cut\.npz: /);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("readNpy() reads or refuses any bytes, and never throws", () => {
  const head = (text: string) => {
    const header = new TextEncoder().encode(text);
    return [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0, ...header];
  };
  fc.assert(fc.property(
    fc.constantFrom("<f8", "<i8", "<u4", "|i1", ">f8", "|O"),
    fc.constantFrom("(3,)", "()", "(2, 2)", "(-1,)", "(99999999999,)", "(1e3,)", "(x,)"),
    fc.uint8Array({ maxLength: 40 }),
    (kind, shape, tail) => {
      const text = `{'descr': '${kind}', 'fortran_order': False, 'shape': ${shape}, }\n`;
      const read = readNpy(Uint8Array.from([...head(text), ...tail]));
      if (!read.ok) return;
      assert.equal(read.value.values.length, read.value.shape.reduce((a, b) => a * b, 1));
    },
  ));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    assert.equal(readNpy(bytes).ok, false);
  }));
});
