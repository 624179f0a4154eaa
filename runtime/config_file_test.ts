import assert from "node:assert/strict";
import { readConfig } from "./config_file.ts";
import { commonOptions } from "./service_options.ts";

async function withFile(text: string, use: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(path, text);
    await use(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("readConfig() reads the file that --config names", async () => {
  await withFile('{"namespace":"blue","drain":{"timeout":"2s"}}', async (path) => {
    const read = await readConfig(commonOptions, ["--config", path], { PIXII_LOG: "debug" });
    assert.ok("config" in read, JSON.stringify(read));
    assert.equal(read.config.namespace, "blue");
    assert.equal(read.config["drain.timeout"], 2_000);
    assert.equal(read.config.log, "debug");
  });
});

Deno.test("readConfig() reports a broken or missing file together with the rest", async () => {
  await withFile("{", async (path) => {
    const read = await readConfig(commonOptions, ["--config", path, "--log", "ifno"], {});
    assert.ok("problems" in read);
    assert.match(read.problems[0], /must be JSON/);
    assert.match(read.problems[1], /^Cannot use --log: .*did you mean info\?$/);
  });
  const read = await readConfig(commonOptions, ["--config", "/nowhere/x.json"], {});
  assert.ok("problems" in read && /must be a readable file/.test(read.problems[0]));
});
