import assert from "node:assert/strict";
import fc from "fast-check";
import { pickGguf } from "./hub_source.ts";
import { parseModelSource, servedNameOf } from "./model_name.ts";

Deno.test("parseModelSource() tells paths, Hugging Face names and catalog names apart", () => {
  const read = (text: string) => {
    const source = parseModelSource(text, "/home/me");
    return source.ok ? source.value : source.error.code;
  };
  assert.deepEqual(read("/a/b.gguf"), { kind: "path", path: "/a/b.gguf" });
  assert.deepEqual(read("./a"), { kind: "path", path: "./a" });
  assert.deepEqual(read("~/m.gguf"), { kind: "path", path: "/home/me/m.gguf" });
  assert.deepEqual(read("sub/m.gguf"), { kind: "path", path: "sub/m.gguf" });
  assert.deepEqual(read("org/repo"), { kind: "hub", repo: "org/repo", file: undefined });
  assert.deepEqual(read("org/repo:f.gguf"), { kind: "hub", repo: "org/repo", file: "f.gguf" });
  assert.deepEqual(read("org/repo:d/f.gguf"), { kind: "hub", repo: "org/repo", file: "d/f.gguf" });
  assert.deepEqual(read("smollm2"), { kind: "catalog", name: "smollm2" });
  for (const bad of ["", "a/b/c", "org/", "org/repo:", "org/repo:../x", "org/..", "a b"]) {
    assert.equal(read(bad), "invalid_request", bad);
  }
});

Deno.test("servedNameOf() is the stem, the repository or the short name", () => {
  const name = (text: string) => {
    const source = parseModelSource(text);
    return source.ok ? servedNameOf(source.value) : "";
  };
  assert.equal(name("/x/My-Model.gguf"), "My-Model");
  assert.equal(name("org/repo:f.gguf"), "org/repo");
  assert.equal(name("tiny"), "tiny");
});

Deno.test("parseModelSource() never lets a hub file leave its folder", () => {
  fc.assert(fc.property(fc.string(), (tail) => {
    const source = parseModelSource(`org/repo:${tail}`);
    if (!source.ok || source.value.kind !== "hub") return;
    const file = source.value.file ?? "";
    const url = new URL(`file:///cache/${encodeURI(file)}`);
    assert.ok(!file.split("/").includes("..") && !file.startsWith("/"));
    assert.ok(url.pathname.startsWith("/cache/"));
  }));
});

Deno.test("pickGguf() prefers Q4_K_M, else the smallest, and no parts or projectors", () => {
  const file = (path: string, bytes: number) => ({ path, bytes });
  const pick = (files: ReturnType<typeof file>[], wanted?: string) => {
    const picked = pickGguf(files, wanted);
    return picked.ok ? picked.value : picked.error.message;
  };
  const all = [file("m-Q8_0.gguf", 80), file("m-Q4_K_M.gguf", 40), file("m-Q2_K.gguf", 20)];
  assert.equal(pick(all), "m-Q4_K_M.gguf");
  assert.equal(pick(all, "q8_0"), "m-Q8_0.gguf");
  assert.equal(pick([file("b.gguf", 9), file("a.gguf", 5), file("readme.md", 1)]), "a.gguf");
  assert.equal(pick([file("mmproj-x.gguf", 1), file("m.gguf", 5)]), "m.gguf");
  assert.match(pick([file("m-00001-of-00002.gguf", 1)]), /only split/);
  assert.match(pick([file("model.safetensors", 1)]), /no GGUF/);
});
