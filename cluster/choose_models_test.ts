import assert from "node:assert/strict";
import { systemClock } from "@pixii/runtime";
import { chooseModels } from "./choose_models.ts";
import { parseDev } from "./dev_config.ts";
import { bundledPath } from "./models/catalog.ts";
import { silentProgress } from "./models/progress.ts";

class Desk implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync();
  readonly notes: string[] = [];

  async choose(...args: string[]) {
    const parsed = parseDev(args, {});
    assert.ok("plan" in parsed, JSON.stringify(parsed));
    return await chooseModels(parsed.plan, {
      env: {
        PIXII_CACHE: this.folder,
        HOME: this.folder,
        HF_ENDPOINT: "http://127.0.0.1:1",
        PATH: "",
      },
      clock: systemClock(),
      progress: { ...silentProgress, note: (line) => void this.notes.push(line) },
      signal: new AbortController().signal,
    });
  }

  file(name: string, text: string): string {
    const path = `${this.folder}/${name}`;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(path, text);
    return path;
  }

  async [Symbol.asyncDispose]() {
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("chooseModels() falls back to tiny with a line that says what it is", async () => {
  await using desk = new Desk();
  const chosen = await desk.choose("--served-name", "chat");
  assert.ok(chosen.ok, JSON.stringify(chosen));
  assert.equal(chosen.value.length, 1);
  assert.equal(chosen.value[0].plan.servedName, "chat");
  assert.equal(chosen.value[0].path, bundledPath("tiny.gguf"));
  assert.match(desk.notes.at(-1) ?? "", /serving tiny instead \(a trained model of 2 M parameters/);
});

Deno.test("chooseModels() serves the bundled tiny where the cached one is damaged", async () => {
  await using desk = new Desk();
  desk.file("models/tiny/tiny.gguf", "damaged");
  const chosen = await desk.choose("--model", "tiny");
  assert.ok(chosen.ok, JSON.stringify(chosen));
  assert.equal(chosen.value[0].path, bundledPath("tiny.gguf"));
  assert.match(desk.notes.join(), /the cached file is damaged/);
});

Deno.test("chooseModels() has a model with no network and an empty cache", async () => {
  await using desk = new Desk();
  const chosen = await desk.choose();
  assert.ok(chosen.ok, JSON.stringify(chosen));
  assert.equal(chosen.value[0].path, bundledPath("tiny.gguf"));
  assert.equal(chosen.value[0].plan.servedName, "tiny");
  const micro = await desk.choose("--model", "micro");
  assert.equal(micro.ok ? micro.value[0].path : "", bundledPath("micro.gguf"));
  assert.notEqual(micro.ok ? micro.value[0].digest : "", chosen.value[0].digest);
});

Deno.test("chooseModels() refuses one name for two files and takes one file twice", async () => {
  await using desk = new Desk();
  const first = desk.file("a/m.gguf", "one");
  const second = desk.file("b/m.gguf", "two");
  const copy = desk.file("c/m.gguf", "one");
  const clash = await desk.choose("--model", first, "--model", second);
  assert.equal(clash.ok ? "" : clash.error.code, "invalid_request");
  assert.match(clash.ok ? "" : clash.error.message, /two models as m: .*--served-name/);
  assert.ok((await desk.choose("--model", first, "--model", copy)).ok);
  const named = await desk.choose(
    ...["--model", first, "--model", second, "--served-name", "x", "--served-name", "y"],
  );
  assert.deepEqual(named.ok ? named.value.map((one) => one.plan.servedName) : [], ["x", "y"]);
});

Deno.test("chooseModels() fails with not_found where a model cannot be had", async () => {
  await using desk = new Desk();
  const gone = await desk.choose("--model", `${desk.folder}/none.gguf`);
  assert.equal(gone.ok ? "" : gone.error.code, "not_found");
});

Deno.test("chooseModels() simulates without weights: tiny's words where a model's own are not here", async () => {
  await using desk = new Desk();
  const chosen = await desk.choose("--engine", "sim");
  assert.ok(chosen.ok, JSON.stringify(chosen));
  assert.equal(chosen.value[0].plan.servedName, "tiny");
  assert.match(chosen.value[0].line, /^tiny: simulated/);
  const big = await desk.choose("--engine", "sim", "--model", "smollm2", "--model", "org/repo");
  assert.ok(big.ok, JSON.stringify(big));
  assert.deepEqual(big.value.map((one) => one.path), [1, 2].map(() => bundledPath("tiny.gguf")));
  assert.deepEqual(big.value.map((one) => one.plan.servedName), ["smollm2", "org/repo"]);
  assert.match(desk.notes.join(), /smollm2: simulated with the vocabulary of tiny/);
  const unknown = await desk.choose("--model", "smolm2,engine=sim");
  assert.ok(!unknown.ok && unknown.error.code === "not_found");
});

Deno.test("chooseModels() takes a folder with a tokenizer for the simulation, and for nothing else", async () => {
  await using desk = new Desk();
  desk.file("words/tokenizer.json", "{}");
  const path = `${desk.folder}/words/`;
  const chosen = await desk.choose("--engine", "sim", "--model", path);
  assert.ok(chosen.ok, JSON.stringify(chosen));
  assert.equal(chosen.value[0].plan.servedName, "words");
  assert.equal(chosen.value[0].path, await Deno.realPath(`${desk.folder}/words`));
  assert.equal((await desk.choose("--model", path)).ok, false);
  desk.file("empty/x", "");
  const empty = await desk.choose("--engine", "sim", "--model", `${desk.folder}/empty`);
  assert.ok(!empty.ok && /empty\/tokenizer.json/.test(empty.error.message), JSON.stringify(empty));
});
