import { readGguf } from "@pixii/workers/gguf";
import { buildArtifact, LlamaTokenizer } from "@pixii/workers/testing";
import { loadVocabulary } from "../frontend/tokens/load_vocabulary.ts";
for (const name of ["qwen2", "llama-bpe", "gpt-2"]) {
  const path = `/tmp/ref/llama.cpp/models/ggml-vocab-${name}.gguf`;
  const gguf = await readGguf(path);
  if (!gguf.ok) throw 1;
  let t = performance.now();
  const a = await buildArtifact(gguf.value);
  if (!a.ok) throw new Error(a.error.message);
  console.log(name, "artifact", performance.now() - t);
  t = performance.now();
  const v = await loadVocabulary(a.value.vocabulary);
  if (!v.ok) throw new Error(v.error.message);
  console.log("load", performance.now() - t);
  using ll = await LlamaTokenizer.open(path);
  const frag = [
    "hello",
    " world",
    "  ",
    "\n",
    "\r\n",
    "\t",
    "1",
    "23",
    " 456",
    "'s",
    "'LL",
    "don't",
    "日本語",
    "你好，世界",
    "👩‍👩‍👧‍👦",
    "é",
    "e\u0301",
    "\u0000",
    "\u0085",
    "\u00a0",
    "\ufeff",
    "\u2028",
    "<|im_end|>",
    "<|im_start|>",
    "<|im_",
    "end|>",
    "<",
    "|",
    ">",
    "مرحبا",
    "שלום",
    "Ünïcödé",
    "٣",
    "½",
    "aaaaaaaa",
    "ZZ",
    "_",
    "__",
    "--",
    "...",
    "\u{1f600}",
    "\ud800",
    "ſ",
    "K",
    "\u3000",
    "क्षि",
    "\u1c89",
    "\x7f",
    "\x1b",
    "<|eot_id|>",
    "<|begin_of_text|>",
    "<tool_call>",
    "<think>",
    " internationalization",
    "supercalifragilistic",
  ];
  let bad = 0, n = 0;
  let seed = 1;
  const rnd = () => {
    seed = Math.imul(seed, 1664525) + 1013904223 | 0;
    return (seed >>> 0) / 2 ** 32;
  };
  for (let k = 0; k < 20000; k++) {
    let s = "";
    const m = 1 + Math.floor(rnd() * 12);
    for (let i = 0; i < m; i++) {
      s += rnd() < .8
        ? frag[Math.floor(rnd() * frag.length)]
        : String.fromCodePoint(Math.floor(rnd() * (rnd() < .5 ? 0x300 : 0x20000)));
    }
    for (const parseSpecials of [false, true]) {
      n++;
      const x = v.value.encode(s, { parseSpecials }), y = ll.encode(s, { parseSpecials });
      if (x.length !== y.length || x.some((q, i) => q !== y[i])) {
        if (bad++ < 5) console.log(JSON.stringify(s), parseSpecials, [...x], [...y]);
      }
    }
  }
  // every code point
  for (let base = 0; base < 0x110000; base += 0x1000) {
    if (base >= 0xd000 && base < 0xe000) continue;
    let s = "";
    for (let c = base; c < base + 0x1000; c++) {
      const ch = String.fromCodePoint(c);
      s += "a" + ch + "b" + ch + "1 " + ch + " " + ch + ch + "'s" + ch + "\n";
    }
    n++;
    const x = v.value.encode(s, { parseSpecials: false }),
      y = ll.encode(s, { parseSpecials: false });
    if (x.length !== y.length || x.some((q, i) => q !== y[i])) {
      bad++;
      console.log("block", base.toString(16));
    }
  }
  console.log(name, n, "bad", bad);
  let db = 0;
  for (let i = 0; i < ll.size; i++) {
    const p = ll.tokenBytes(i, { special: true }), q = v.value.tokenBytes(i);
    if (p.length !== q.length || p.some((b, j) => b !== q[j])) {
      if (db++ < 5) {
        console.log("tok", i, new TextDecoder().decode(p), new TextDecoder().decode(q));
      }
    }
  }
  console.log("tokenBytes bad", db);
}
