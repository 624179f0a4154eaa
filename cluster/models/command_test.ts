import assert from "node:assert/strict";
import { systemClock } from "@pixii/runtime";
import { FakeHub } from "./fake_hub_testing.ts";
import { runModels } from "./command.ts";
import { silentProgress } from "./progress.ts";

const file = { path: "a-Q4_K_M.gguf", bytes: new Uint8Array(500).fill(3) };

class Bench implements AsyncDisposable {
  readonly folder = Deno.makeTempDirSync();
  readonly hub = new FakeHub("org/model", [file]);
  said: string[] = [];
  warned: string[] = [];

  async run(...args: string[]): Promise<number> {
    this.said = [];
    this.warned = [];
    return await runModels(args, {
      env: {
        PIXII_CACHE: this.folder,
        HOME: this.folder,
        HF_ENDPOINT: this.hub.url,
        PATH: "/nonexistent",
      },
      clock: systemClock(),
      progress: silentProgress,
      say: (line) => void this.said.push(line),
      warn: (line) => void this.warned.push(line),
    });
  }

  async [Symbol.asyncDispose]() {
    await this.hub[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("models pull, ls, info and rm work on one model", async () => {
  await using bench = new Bench();
  assert.equal(await bench.run("pull", "org/model"), 0);
  assert.match(bench.said[0], /org\/model is at .*a-Q4_K_M\.gguf/);
  assert.equal(await bench.run("ls"), 0);
  assert.match(bench.said.at(-1) ?? "", /^org\/model:a-Q4_K_M\.gguf +500 B +yes/);
  assert.equal(await bench.run("info", "org/model:a-Q4_K_M.gguf", "--json"), 0);
  assert.equal(JSON.parse(bench.said.join("\n")).bytes, 500);
  assert.equal(await bench.run("rm", "org/model:a-Q4_K_M.gguf"), 0);
  assert.equal(bench.said.length, 1);
  assert.equal(await bench.run("rm", "org/model"), 3);
});

Deno.test("models ls --json says what is here", async () => {
  await using bench = new Bench();
  assert.equal(await bench.run("ls", "--json"), 0);
  const rows = JSON.parse(bench.said.join("\n"));
  const smollm2 = rows.find((row: { name: string }) => row.name === "smollm2");
  assert.equal(smollm2.here, false);
  assert.equal(smollm2.bytes, 98_362_432);
});

Deno.test("models info tells about a catalog model that is not here", async () => {
  await using bench = new Bench();
  assert.equal(await bench.run("info", "smollm2"), 0);
  assert.ok(bench.said.some((line) => /^licence +Apache-2\.0/.test(line)));
  assert.ok(bench.said.some((line) => line.includes("models pull smollm2")));
});

Deno.test("models ends with 2 on bad usage and 3 on a missing model", async () => {
  await using bench = new Bench();
  for (const args of [[], ["lst"], ["pull"], ["rm"], ["info"], ["info", "a", "b"], ["ls", "--x"]]) {
    assert.equal(await bench.run(...args), 2, args.join(" "));
    assert.ok(bench.warned.length > 0);
  }
  assert.equal(await bench.run("pull", "nosuch"), 3);
  assert.equal(await bench.run("pull", "org/../x"), 2);
  assert.equal(await bench.run("info", "org/none"), 3);
  assert.equal(await bench.run("--help"), 0);
});

Deno.test("models rm never removes a file outside the cache", async () => {
  await using bench = new Bench();
  const path = `${bench.folder}/mine.gguf`;
  await Deno.writeTextFile(path, "x");
  assert.equal(await bench.run("rm", path), 3);
  assert.equal(await bench.run("rm", ".."), 3);
  assert.equal((await Deno.stat(path)).size, 1);
});
