import { readGguf } from "@pixii/workers/gguf";
import { buildArtifact } from "@pixii/workers/testing";
import { loadVocabulary } from "../frontend/tokens/load_vocabulary.ts";
const g = await readGguf("/tmp/ref/llama.cpp/models/ggml-vocab-qwen2.gguf");
if (!g.ok) throw 1;
const a = await buildArtifact(g.value);
if (!a.ok) throw 1;
const r = await loadVocabulary(a.value.vocabulary);
if (!r.ok) throw 1;
const v = r.value;
const md = await Deno.readTextFile("README.md") + await Deno.readTextFile("tests/tidy_test.ts");
for (let k = 0; k < 6; k++) {
  let tot = 0, ms = 1e9;
  for (let i = 0; i < 200; i++) {
    const t = performance.now();
    tot = v.encode(i + md, { parseSpecials: false }).length;
    ms = Math.min(ms, performance.now() - t);
  }
  console.log(ms.toFixed(3), "ms", (tot / ms / 1000).toFixed(1), md.length);
}
