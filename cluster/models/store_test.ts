import assert from "node:assert/strict";
import { systemClock } from "@pixii/runtime";
import { catalogEntry } from "./catalog.ts";
import { FakeHub, type HubFaults, sha256Of } from "./fake_hub_testing.ts";
import type { FetchLimits } from "./fetch_file.ts";
import type { Env } from "./cache_folder.ts";
import { silentProgress } from "./progress.ts";
import { ensureModel, type StoreOptions } from "./store.ts";

const quick: FetchLimits = { connectMs: 300, stallMs: 300, fruitlessTries: 2, backOffMs: 1 };

function bytesOf(length: number, seed = 7): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed * (i >> 8)) & 255;
  return bytes;
}

const model = { path: "Model-Q4_K_M.gguf", bytes: bytesOf(300_000) };
const other = { path: "Model-Q2_K.gguf", bytes: bytesOf(1_000, 3) };

class Cache implements AsyncDisposable {
  readonly notes: string[] = [];
  readonly env: Env;
  readonly folder: string;

  constructor(more: Env = {}) {
    this.folder = Deno.makeTempDirSync();
    this.env = { PIXII_CACHE: this.folder, HOME: this.folder, ...more };
  }

  options(more: Partial<StoreOptions> = {}): StoreOptions {
    const progress = { ...silentProgress, note: (line: string) => void this.notes.push(line) };
    return {
      env: this.env,
      clock: systemClock(),
      progress,
      limits: quick,
      download: true,
      ...more,
    };
  }

  async [Symbol.asyncDispose]() {
    await Deno.remove(this.folder, { recursive: true });
  }
}

function stage(faults: HubFaults = {}) {
  const hub = new FakeHub("org/model", [other, model], faults);
  return { hub, cache: new Cache({ HF_ENDPOINT: hub.url }) };
}

Deno.test("ensureModel() downloads, verifies and then needs the hub no more", async () => {
  const { hub, cache } = stage();
  await using _cache = cache;
  const got = await ensureModel("org/model", cache.options());
  assert.ok(got.ok, JSON.stringify(got));
  assert.equal(got.value.digest, sha256Of(model.bytes));
  assert.equal(got.value.name, "org/model");
  assert.deepEqual(await Deno.readFile(got.value.path), model.bytes);
  await hub[Symbol.asyncDispose]();
  const again = await ensureModel("org/model", cache.options({ download: false }));
  assert.ok(again.ok);
  assert.equal(again.value.path, got.value.path);
  const left = [...Deno.readDirSync(`${cache.folder}/models/org/model`)].map((one) => one.name);
  assert.deepEqual(left, [model.path]);
});

Deno.test("ensureModel() takes the file or quantization that the name says", async () => {
  const { hub, cache } = stage();
  await using _hub = hub;
  await using _cache = cache;
  const exact = await ensureModel("org/model:Model-Q2_K.gguf", cache.options());
  assert.ok(exact.ok);
  assert.equal(exact.value.bytes, 1_000);
  const tag = await ensureModel("org/model:q4_k_m", cache.options());
  assert.ok(tag.ok);
  assert.equal(tag.value.bytes, 300_000);
  const none = await ensureModel("org/model:Q9", cache.options());
  assert.equal(none.ok ? "" : none.error.code, "not_found");
  assert.match(none.ok ? "" : none.error.message, /it has no Q9; it has Model-Q2_K\.gguf/);
});

Deno.test("ensureModel() goes on where a broken connection stopped", async () => {
  const { hub, cache } = stage({ cutAfterBytes: 100_000, cuts: 2 });
  await using _hub = hub;
  await using _cache = cache;
  const got = await ensureModel("org/model", cache.options());
  assert.ok(got.ok, JSON.stringify(got));
  assert.deepEqual(await Deno.readFile(got.value.path), model.bytes);
  const ranges = hub.requests.filter((one) => one.path.endsWith(model.path)).map((r) => r.range);
  assert.ok(ranges.length >= 3, ranges.join());
  assert.ok(ranges.slice(2).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? "")), ranges.join());
});

Deno.test("ensureModel() goes on with what a killed run left", async () => {
  const { hub, cache } = stage();
  await using _hub = hub;
  await using _cache = cache;
  const folder = `${cache.folder}/models/org/model`;
  await Deno.mkdir(folder, { recursive: true });
  const part = `${folder}/${model.path}.${sha256Of(model.bytes).slice(0, 16)}.part`;
  await Deno.writeFile(part, model.bytes.subarray(0, 200_000));
  const got = await ensureModel("org/model", cache.options());
  assert.ok(got.ok, JSON.stringify(got));
  assert.equal(hub.requests.at(-1)?.range, "bytes=200000-");
  assert.equal(got.value.digest, sha256Of(model.bytes));
});

Deno.test("ensureModel() starts over where the source knows no ranges", async () => {
  const { hub, cache } = stage({ cutAfterBytes: 100_000, cuts: 1, noRanges: true });
  await using _hub = hub;
  await using _cache = cache;
  const got = await ensureModel("org/model", cache.options());
  assert.ok(got.ok, JSON.stringify(got));
  assert.deepEqual(await Deno.readFile(got.value.path), model.bytes);
});

Deno.test("ensureModel() refuses and removes a file with another sha256", async () => {
  const { hub, cache } = stage({ wrongOid: "ab".repeat(32) });
  await using _hub = hub;
  await using _cache = cache;
  const got = await ensureModel("org/model", cache.options());
  assert.equal(got.ok ? "" : got.error.code, "artifact_invalid");
  assert.match(got.ok ? "" : got.error.message, /must have sha256 abab/);
  const left = [...Deno.readDirSync(`${cache.folder}/models/org/model`)];
  assert.deepEqual(left, []);
});

Deno.test("ensureModel() gives up on silence and keeps the part", async () => {
  const { hub, cache } = stage({ hangAfterBytes: 50_000 });
  await using _hub = hub;
  await using _cache = cache;
  const got = await ensureModel("org/model", cache.options());
  assert.equal(got.ok ? "" : got.error.code, "timeout");
  const [part] = [...Deno.readDirSync(`${cache.folder}/models/org/model`)];
  assert.match(part.name, /\.part$/);
  const size = Deno.statSync(`${cache.folder}/models/org/model/${part.name}`).size;
  assert.ok(size >= 50_000, `${size}`);
});

Deno.test("ensureModel() gives up on a hub that does not answer", async () => {
  const { hub, cache } = stage({ silent: true });
  await using _hub = hub;
  await using _cache = cache;
  const got = await ensureModel("org/model", cache.options());
  assert.equal(got.ok ? "" : got.error.code, "timeout");
  assert.match(got.ok ? "" : got.error.message, /did not answer in time/);
});

Deno.test("ensureModel() sends HF_TOKEN and never says it", async () => {
  const hub = new FakeHub("org/model", [model], { status: 403 });
  await using _hub = hub;
  await using cache = new Cache({ HF_ENDPOINT: hub.url, HF_TOKEN: "hf_secret123" });
  const got = await ensureModel("org/model", cache.options());
  assert.equal(got.ok ? "" : got.error.code, "unauthorized");
  assert.equal(hub.requests[0].authorization, "Bearer hf_secret123");
  assert.ok(!JSON.stringify([got, cache.notes]).includes("secret123"));
});

Deno.test("ensureModel() is cancelled by its signal", async () => {
  const { hub, cache } = stage({ hangAfterBytes: 50_000 });
  await using _hub = hub;
  await using _cache = cache;
  const stop = new AbortController();
  const progress = { ...silentProgress, at: () => stop.abort() };
  const limits = { ...quick, stallMs: 60_000 };
  const got = await ensureModel(
    "org/model",
    cache.options({ signal: stop.signal, progress, limits }),
  );
  assert.equal(got.ok ? "" : got.error.code, "cancelled");
});

Deno.test("ensureModel() downloads once where two ask at a time", async () => {
  const { hub, cache } = stage();
  await using _hub = hub;
  await using _cache = cache;
  const both = await Promise.all([
    ensureModel("org/model", cache.options()),
    ensureModel("org/model", cache.options()),
  ]);
  assert.ok(both.every((one) => one.ok && one.value.digest === sha256Of(model.bytes)));
  const whole = hub.requests.filter((one) => one.path.endsWith(model.path) && one.range === null);
  assert.equal(whole.length, 1);
});

Deno.test("ensureModel() reads Hugging Face's own cache", async () => {
  await using cache = new Cache({ HF_ENDPOINT: "http://127.0.0.1:1" });
  const repo = `${cache.folder}/.cache/huggingface/hub/models--org--model`;
  await Deno.mkdir(`${repo}/refs`, { recursive: true });
  await Deno.mkdir(`${repo}/blobs`);
  await Deno.mkdir(`${repo}/snapshots/c0ffee`, { recursive: true });
  await Deno.writeTextFile(`${repo}/refs/main`, "c0ffee");
  await Deno.writeFile(`${repo}/blobs/abc`, model.bytes);
  await Deno.symlink("../../blobs/abc", `${repo}/snapshots/c0ffee/${model.path}`);
  const got = await ensureModel("org/model", cache.options({ download: false }));
  assert.ok(got.ok, JSON.stringify(got));
  assert.equal(got.value.digest, sha256Of(model.bytes));
  assert.match(got.value.path, /blobs\/abc$/);
});

Deno.test("ensureModel() takes a path as it is and refuses one that is not there", async () => {
  await using cache = new Cache();
  const path = `${cache.folder}/my.gguf`;
  await Deno.writeFile(path, other.bytes);
  const got = await ensureModel(path, cache.options({ download: false }));
  assert.ok(got.ok);
  assert.equal(got.value.name, "my");
  assert.equal(got.value.digest, sha256Of(other.bytes));
  const missing = await ensureModel(`${cache.folder}/no.gguf`, cache.options());
  assert.equal(missing.ok ? "" : missing.error.code, "not_found");
});

Deno.test("ensureModel() notices that a file changed after its digest was remembered", async () => {
  await using cache = new Cache();
  const path = `${cache.folder}/my.gguf`;
  await Deno.writeFile(path, other.bytes);
  const before = await ensureModel(path, cache.options());
  await Deno.writeFile(path, model.bytes);
  const after = await ensureModel(path, cache.options());
  assert.ok(before.ok && after.ok);
  assert.equal(after.value.digest, sha256Of(model.bytes));
});

Deno.test("ensureModel() passes over every source of a catalog model that fails, with a line", async () => {
  const hub = new FakeHub("x/y", [model]);
  await using _hub = hub;
  await using cache = new Cache({ HF_ENDPOINT: hub.url, PATH: "/nonexistent" });
  const got = await ensureModel("smollm2", cache.options());
  assert.equal(got.ok ? "" : got.error.code, "not_found");
  const passed = cache.notes.filter((line) => line.includes("passed over"));
  assert.equal(passed.length, catalogEntry("smollm2")?.sources.length);
  assert.match(passed.at(-1) ?? "", /python3 is not on PATH/);
});

Deno.test("ensureModel() refuses a hub file that is not the pinned one before it is downloaded", async () => {
  const [source] = catalogEntry("smollm2")!.sources;
  assert.ok(source.kind === "hub");
  const hub = new FakeHub(source.repo, [{ path: source.file, bytes: other.bytes }]);
  await using _hub = hub;
  await using cache = new Cache({ HF_ENDPOINT: hub.url, PATH: "/nonexistent" });
  const got = await ensureModel("smollm2", cache.options());
  assert.equal(got.ok, false);
  assert.match(cache.notes[0], /must have sha256 b179c952/);
  assert.ok(hub.requests.every((one) => one.range === "bytes=0-0" || one.path.includes("/tree/")));
});

Deno.test("ensureModel() names the catalog for an unknown short name", async () => {
  await using cache = new Cache();
  const got = await ensureModel("smolm2", cache.options());
  assert.match(got.ok ? "" : got.error.message, /the catalog has smollm2, tiny/);
});
