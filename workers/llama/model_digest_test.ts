import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { fileDigest, modelDigest } from "./model_digest.ts";

/** A folder with a model and a cache, gone afterwards. */
class Scratch implements Disposable {
  readonly folder = Deno.makeTempDirSync();
  readonly model = `${this.folder}/model.gguf`;
  readonly cache = `${this.folder}/cache`;

  write(text: string, modified = 1_700_000_000): string {
    Deno.writeTextFileSync(this.model, text);
    Deno.utimeSync(this.model, modified, modified);
    return createHash("sha256").update(text).digest("hex");
  }

  records(): string[] {
    return [...Deno.readDirSync(`${this.cache}/digests`)].map((entry) => entry.name);
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("fileDigest() is the sha256 of a file larger than one read", async () => {
  using scratch = new Scratch();
  const text = "0123456789abcdef".repeat(300_000);
  assert.equal(await fileDigest((scratch.write(text), scratch.model)), scratch.write(text));
});

Deno.test("modelDigest() is computed once for a path, size and time of change", async () => {
  using scratch = new Scratch();
  const first = scratch.write("one");
  assert.equal(await modelDigest(scratch.model, scratch.cache), first);
  assert.equal(scratch.records().length, 1);
  // The same size and time: the file is taken for the same, as it says.
  const second = scratch.write("two");
  assert.equal(await modelDigest(scratch.model, scratch.cache), first);
  scratch.write("two", 1_700_000_001);
  assert.equal(await modelDigest(scratch.model, scratch.cache), second);
  const longer = scratch.write("three", 1_700_000_001);
  assert.equal(await modelDigest(scratch.model, scratch.cache), longer);
  assert.equal(scratch.records().length, 1, "one record, replaced, and nothing left behind");
});

Deno.test("modelDigest() sees through links", async () => {
  using scratch = new Scratch();
  const digest = scratch.write("one");
  await Deno.symlink(scratch.model, `${scratch.folder}/link.gguf`);
  await modelDigest(scratch.model, scratch.cache);
  assert.equal(await modelDigest(`${scratch.folder}/link.gguf`, scratch.cache), digest);
  assert.equal(scratch.records().length, 1);
});

Deno.test("modelDigest() needs no cache: a damaged, missing or unusable one costs a hash", async () => {
  using scratch = new Scratch();
  const digest = scratch.write("one");
  assert.equal(await modelDigest(scratch.model, ""), digest);
  await modelDigest(scratch.model, scratch.cache);
  const [record] = scratch.records();
  for (const text of ["", "null", "{", '{"sha256":"x"}', "[]"]) {
    Deno.writeTextFileSync(`${scratch.cache}/digests/${record}`, text);
    assert.equal(await modelDigest(scratch.model, scratch.cache), digest, text);
  }
  const file = `${scratch.folder}/file`;
  Deno.writeTextFileSync(file, "");
  assert.equal(await modelDigest(scratch.model, file), digest);
  await assert.rejects(modelDigest(`${scratch.folder}/none`, scratch.cache), Deno.errors.NotFound);
});
