import { readGguf } from "@pixii/workers/gguf";
import { buildArtifact } from "@pixii/workers/testing";
import { loadVocabulary } from "../frontend/tokens/load_vocabulary.ts";
import { smollm2Path } from "./parts.ts";
const rssMb = () => Math.round(Deno.memoryUsage().rss / 1e6);
const P = Deno.env.get("HOME") + "/.cache/deno/npm/registry.npmjs.org/@lenml/";
const which = Deno.args[0] ?? "smollm2";
console.log("rss start", rssMb());
const art: any = which === "smollm2"
  ? await (async () => {
    const g = await readGguf(smollm2Path()!);
    if (!g.ok) throw 1;
    const a = await buildArtifact(g.value);
    if (!a.ok) throw 1;
    return a.value.vocabulary;
  })()
  : await (async () => {
    const dir = P + (which === "qwen3" ? "tokenizer-qwen3" : "tokenizer-llama3_1") +
      "/3.7.2/models/";
    const c = JSON.parse(await Deno.readTextFile(dir + "tokenizer_config.json"));
    let t = performance.now();
    const tok = JSON.parse(await Deno.readTextFile(dir + "tokenizer.json"));
    console.log("json ms", performance.now() - t);
    return {
      version: 1,
      tokenizer: tok,
      tokenizerConfig: c,
      chatTemplate: c.chat_template,
      bosToken: c.bos_token ?? undefined,
      eosToken: c.eos_token,
      addBos: which !== "qwen3",
      eosTokenIds: [],
      pre: which === "qwen3" ? "qwen2" : "llama-bpe",
    };
  })();
let t = performance.now();
const r = await loadVocabulary(art);
if (!r.ok) throw new Error(r.error.message);
const v: any = r.value;
console.log("load ms", (performance.now() - t).toFixed(0), "rss", rssMb());
const words: string[] = [];
for (const w in art.tokenizer.model.vocab) if (/^Ġ[a-z]{2,12}$/.test(w)) words.push(w.slice(1));
console.log("words", words.length);
let seed = 7;
const rnd = () => {
  seed = Math.imul(seed, 1664525) + 1013904223 | 0;
  return (seed >>> 0) / 2 ** 32;
};
const text = (n: number, wl = words) => {
  const a = [];
  for (let i = 0; i < n; i++) a.push(wl[Math.floor(rnd() * wl.length)]);
  return a.join(" ");
};
const few = words.slice(0, 10000);
const enc = async (s: string) => await v.encode(s, { parseSpecials: false });
const chat = async (s: string) => {
  const x = await v.encodeChat([{ role: "user", content: s }], { nowMs: 0 });
  if (!x.ok) throw new Error(x.error.message);
  return x.value;
};
async function bench(name: string, texts: string[], f = enc) {
  let tot = 0;
  const t = performance.now();
  for (const s of texts) tot += (await f(s)).length;
  const ms = performance.now() - t;
  console.log(
    name,
    (ms / texts.length).toFixed(3),
    "ms each",
    (tot / ms / 1000).toFixed(1),
    "Mtok/s",
    (tot / texts.length).toFixed(0),
    "tok",
  );
}
await bench("cold 12k words", [text(12000, few)]);
for (let i = 0; i < 3; i++) {
  await bench(
    "warm new 12k words (10k vocab)",
    Array.from({ length: 40 }, () => text(12000, few)),
  );
}
await bench("warm new 12k words (all vocab)", Array.from({ length: 40 }, () => text(12000)));
const shared = text(48000, few);
const prompts = Array.from({ length: 40 }, () => shared + " " + text(12000, few));
await bench("48k shared + 12k private", prompts);
await bench(
  "same again chat",
  Array.from({ length: 40 }, () => shared + " " + text(12000, few)),
  chat,
);
await bench("identical prompt chat", Array.from({ length: 40 }, () => prompts[0]), chat);
await bench("shared only", Array.from({ length: 40 }, () => shared));
const rw = () =>
  Array.from({ length: 12000 }, () => {
    let s = "";
    const n = 2 + Math.floor(rnd() * 9);
    for (let i = 0; i < n; i++) s += String.fromCharCode(97 + Math.floor(rnd() * 26));
    return s;
  }).join(" ");
await bench("random letters 12k 'words'", Array.from({ length: 10 }, rw));
const md = await Deno.readTextFile("README.md") + await Deno.readTextFile("tests/tidy_test.ts");
await bench("md+code", Array.from({ length: 50 }, (_, i) => i + md));
await bench(
  "json-ish numbers",
  Array.from(
    { length: 10 },
    () => Array.from({ length: 20000 }, () => Math.floor(rnd() * 1e6)).join(", "),
  ),
);
const cjk = () =>
  Array.from(
    { length: 50000 },
    () => rnd() < .1 ? "，" : String.fromCodePoint(0x4e00 + Math.floor(rnd() * 3000)),
  ).join("");
await bench("cjk 50k chars", Array.from({ length: 5 }, cjk));
for (
  const [n, s] of [
    ["1MB a", "a".repeat(1e6)],
    ["1MB spaces", " ".repeat(1e6)],
    ["1MB cjk", "中".repeat(333333)],
    [
      "1MB cjk mixed",
      Array.from({ length: 333333 }, () => String.fromCodePoint(0x4e00 + Math.floor(rnd() * 3000)))
        .join(""),
    ],
    [
      "1MB random letters",
      Array.from({ length: 1e6 }, () => String.fromCharCode(97 + Math.floor(rnd() * 26))).join(""),
    ],
    ["1MB '<|'", "<|".repeat(5e5)],
    ["1MB newlines", "\n".repeat(1e6)],
    ["8MiB random letter words", rw().repeat(100).slice(0, 8 << 20)],
    ["8MiB english", text(1200000).slice(0, 8 << 20)],
    ["8MiB a", "a".repeat(8 << 20)],
  ] as [string, string][]
) await bench(n, [s]);
const ids = await enc(prompts[0]);
{
  const d0 = v.detokenizer();
  d0.push(ids);
  t = performance.now();
  const d = v.detokenizer();
  for (let i = 0; i < ids.length; i++) d.push(ids.subarray(i, i + 1));
  console.log("detok us/token", ((performance.now() - t) * 1000 / ids.length).toFixed(3));
}
{
  const ids = await enc("日本語👩‍👩‍👧‍👦".repeat(2000));
  t = performance.now();
  const d = v.detokenizer();
  for (let i = 0; i < ids.length; i++) d.push([ids[i]]);
  console.log("detok cjk/emoji us/token", ((performance.now() - t) * 1000 / ids.length).toFixed(3));
}
(globalThis as any).gc?.();
console.log(
  "rss end",
  rssMb(),
  "heap",
  Math.round(Deno.memoryUsage().heapUsed / 1e6),
  "ext",
  Math.round(Deno.memoryUsage().external / 1e6),
);
