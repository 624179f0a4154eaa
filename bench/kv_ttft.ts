/**
 * Time to the first token of prompts whose KV lies in a tier below the device, beside what the model of it allows: the
 * TTFT of the same prompt on the device, plus 1.2 x its bytes / the tier's bandwidth, plus 3 ms. And beside llama-server's
 * own ways on the same model and prompts: its prompt cache in memory, and slots that are saved and taken back.
 */
import { BlockTrial } from "@pixii/workers/testing";
import { startDev } from "./child.ts";
import type { Dev } from "./child.ts";
import { median } from "./figure.ts";
import type { Figure } from "./figure.ts";
import { firstToken } from "./kv/first_token.ts";
import type { FirstToken } from "./kv/first_token.ts";
import { startLlamaServer } from "./kv/llama_server.ts";
import type { LlamaServer } from "./kv/llama_server.ts";

/** What it is measured on. */
export interface KvTtftOptions {
  /** GGUF file of a model with a context of 4,352 tokens or more. */
  readonly model: string;
  readonly rounds: number;
  /** Restarts for the disk tier; 0 = no disk rows. */
  readonly restarts: number;
  /** Path of llama-server, where it is to run beside. */
  readonly peer: string | undefined;
  /** Measure ours; the other's alone fits a shorter quiet time. */
  readonly ours: boolean;
  readonly onFigure: (figure: Figure) => void;
}

const served = "bench";
const blockSize = 64;
/** As many cells as the longest prompt needs: each drives another out. */
const ctx = 4352;
/** Prompt lengths; the longest comes twice, so that one drives out the other. */
const lengths = [512, 2048, 4096, 4096] as const;
const prompts = lengths.map((length, seed) =>
  Array.from({ length }, (_, i) => 20 + (Math.imul(i + 1 + 7001 * seed, 0x9e3779b1) >>> 9) % 2000)
);
/** What the model of a TTFT allows beside copying. */
const slackMs = 3;
const copyFactor = 1.2;

/** TTFTs of one prompt, in milliseconds. */
interface Times {
  readonly cold: number[];
  readonly tier: number[];
  readonly warm: number[];
}

function noTimes(): readonly Times[] {
  return prompts.map(() => ({ cold: [], tier: [], warm: [] }));
}

function ask(dev: Dev, prompt: readonly number[]): Promise<FirstToken> {
  const body = { model: served, prompt, max_tokens: 4, temperature: 0, stream: true };
  return firstToken(`${dev.url}/v1/completions`, { ...body, ignore_eos: true }, (data) => {
    return data.startsWith("{") && (JSON.parse(data).choices?.[0]?.text ?? "") !== "";
  });
}

function openHouse(model: string, flags: readonly string[]): Promise<Dev> {
  return startDev([
    ...["--topology", "processes", "--model", model, "--served-name", served, "--threads", "1"],
    ...["--max-seqs", "1", "--ctx", `${ctx}`, "--kv-host", "1GiB"],
    ...flags,
  ]);
}

/** Reusable tokens of a prompt: the last token is always computed. */
function reusable(length: number): number {
  return Math.floor((length - 1) / blockSize) * blockSize;
}

function mustComeFrom(tier: string, tiers: FirstToken["tiers"], length: number): void {
  if ((tiers[tier] ?? 0) >= reusable(length) - blockSize) return;
  throw new Error(`a prompt of ${length} tokens came from ${JSON.stringify(tiers)}, not ${tier}`);
}

async function metric(dev: Dev, service: string, pattern: RegExp): Promise<number> {
  const { admin } = dev.processes.find((one) => one.service === service)!;
  const text = await (await fetch(`${admin}/metrics`)).text();
  return Number(pattern.exec(text)?.[1] ?? NaN);
}

async function untilTier(dev: Dev): Promise<void> {
  const { admin } = dev.processes.find((one) => one.service === "worker")!;
  for (let tries = 0; tries < 600; tries++) {
    const health = await (await fetch(`${admin}/health`)).json();
    if ((health.details?.kvbm ?? "none") !== "none") return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("the worker found no kvbm");
}

/**
 * The warm slot: a house without tiers, each prompt computed once and then asked again. Over a host tier a worker keeps
 * finished prompts there and not in its cache, so that it has no warm slot of its own.
 */
async function warmTimes(dev: Dev, rounds: number): Promise<readonly Times[]> {
  const times = noTimes();
  for (const [i, prompt] of prompts.entries()) {
    if (lengths.indexOf(lengths[i]) !== i) continue;
    times[i].cold.push((await ask(dev, prompt)).ttftMs);
    for (let round = 0; round < rounds; round++) {
      const again = await ask(dev, prompt);
      mustComeFrom("device", again.tiers, prompt.length);
      times[i].warm.push(again.ttftMs);
    }
  }
  return times;
}

/** Host rows: all prompts cold, then in rounds out of the host tier. */
async function hostTimes(dev: Dev, rounds: number): Promise<readonly Times[]> {
  const times = noTimes();
  for (const [i, prompt] of prompts.entries()) times[i].cold.push((await ask(dev, prompt)).ttftMs);
  for (let round = 0; round < rounds; round++) {
    for (const [i, prompt] of prompts.entries()) {
      const first = await ask(dev, prompt);
      mustComeFrom("host", first.tiers, prompt.length);
      times[i].tier.push(first.ttftMs);
    }
  }
  return times;
}

/** llama-server's ways: its prompt cache in memory, saved slots, and the warm slot. */
async function serverTimes(server: LlamaServer, rounds: number) {
  const times = prompts.map(() => ({
    ...{ cold: [] as number[], ram: [] as number[], slot: [] as number[], warm: [] as number[] },
  }));
  for (const [i, prompt] of prompts.entries()) {
    times[i].cold.push(await server.ttft(prompt));
    await server.slot("save", `p${i}`);
  }
  for (let round = 0; round < rounds; round++) {
    for (const [i, prompt] of prompts.entries()) {
      times[i].ram.push(await server.ttft(prompt));
      times[i].warm.push(await server.ttft(prompt));
    }
    for (const [i, prompt] of prompts.entries()) {
      const restoredMs = await server.slot("restore", `p${i}`);
      times[i].slot.push(restoredMs + await server.ttft(prompt));
    }
  }
  return times;
}

/** Disk rows: everything is ended and started again; the first time a prompt is asked it comes from disk. */
async function diskTimes(options: KvTtftOptions, folder: string) {
  const times = noTimes();
  const speeds: number[] = [];
  for (let restart = 0; restart < options.restarts; restart++) {
    await using dev = await openHouse(options.model, ["--kv-disk", `2GiB:${folder}`]);
    await untilTier(dev);
    for (const [i, prompt] of prompts.entries()) {
      const first = await ask(dev, prompt);
      // What was read ahead, while the request was on its way, counts as memory's.
      const { disk = 0, host = 0 } = first.tiers;
      mustComeFrom("disk", { disk: disk + host }, prompt.length);
      times[i].tier.push(first.ttftMs);
    }
    speeds.push(await metric(dev, "kvbm", diskSpeed));
  }
  return { times, bytesPerSecond: median(speeds) };
}

const diskSpeed =
  /^pixii_kvbm_tier_bytes_per_second\{(?=[^}]*direction="read")(?=[^}]*tier="disk")[^}]*\} (\S+)/m;
const diskBytes = /^pixii_kvbm_tier_used_bytes\{[^}]*tier="disk"[^}]*\} (\S+)/m;

async function untilOnDisk(dev: Dev, bytes: number): Promise<void> {
  let last = NaN;
  for (let tries = 0; tries < 600; tries++) {
    last = await metric(dev, "kvbm", diskBytes);
    if (last >= bytes) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${last} of ${bytes} bytes are on disk`);
}

function rowsOf(
  tier: string,
  { times, warm }: { readonly times: readonly Times[]; readonly warm: readonly Times[] },
  { blockBytes, bytesPerSecond }: { readonly blockBytes: number; readonly bytesPerSecond: number },
): readonly Figure[] {
  return lengths.flatMap((length, i) => {
    if (lengths.indexOf(length) !== i) return [];
    const tierMs = median(times[i].tier);
    const bytes = blockBytes * reusable(length) / blockSize;
    const warmMs = median(warm[i].warm);
    const modelMs = warmMs + 1000 * copyFactor * bytes / bytesPerSecond + slackMs;
    const said = `warm ${warmMs.toFixed(1)} ms, computed ${median(warm[i].cold).toFixed(0)} ms` +
      `, ${(bytes / 1e6).toFixed(0)} MB at ${(bytesPerSecond / 1e9).toFixed(2)} GB/s`;
    return [{
      ...{ figure: `kv.ttft_over_model.${tier}.${length}`, value: tierMs / modelMs },
      ...{ unit: "ratio", better: "lower" as const, anchor: `model, ms (${said})` },
      ...{ anchorValue: modelMs, ratio: tierMs / modelMs },
      runs: times[i].tier.map((ms) => ms / modelMs),
    }, {
      ...{ figure: `kv.ttft.${tier}.${length}`, value: tierMs, unit: "ms" },
      ...{ better: "lower" as const, runs: times[i].tier },
    }];
  });
}

/** All rows, each told as soon as it is known: ours out of memory and from disk, then llama-server's. */
export async function kvTtftFigures(options: KvTtftOptions): Promise<void> {
  if (options.ours) await ourFigures(options);
  if (options.peer === undefined) return;
  const { model, rounds, onFigure } = options;
  await using server = await startLlamaServer(options.peer, { model, ctx });
  const theirs = await serverTimes(server, rounds);
  for (const [i, length] of lengths.entries()) {
    if (lengths.indexOf(length) !== i) continue;
    for (const way of ["cold", "ram", "slot", "warm"] as const) {
      const runs = theirs[i][way];
      const figure = `kv.llama_server.${way}.${length}`;
      onFigure({ figure, value: median(runs), unit: "ms", better: "lower", runs });
    }
  }
}

async function ourFigures(options: KvTtftOptions): Promise<void> {
  const { model, rounds, restarts, onFigure } = options;
  const speed = await restoreSpeed(model);
  const warm = await (async () => {
    await using dev = await openHouse(model, ["--worker.kvbm", "off"]);
    return await warmTimes(dev, rounds);
  })();
  const disk = await Deno.makeTempDir({ prefix: "pixii-ttft-" });
  try {
    {
      await using dev = await openHouse(model, restarts > 0 ? ["--kv-disk", `2GiB:${disk}`] : []);
      await untilTier(dev);
      const times = await hostTimes(dev, rounds);
      for (const one of rowsOf("host", { times, warm }, speed)) onFigure(one);
      const blocks = lengths.reduce((sum, length) => sum + reusable(length) / blockSize, 0);
      // The last prompts' ends may still be on the device only.
      if (restarts > 0) await untilOnDisk(dev, 0.9 * blocks * speed.blockBytes);
    }
    if (restarts === 0) return;
    const { times, bytesPerSecond } = await diskTimes(options, disk);
    const { blockBytes } = speed;
    for (const one of rowsOf("disk", { times, warm }, { blockBytes, bytesPerSecond })) {
      onFigure(one);
    }
  } finally {
    await Deno.remove(disk, { recursive: true });
  }
}

/** The host tier's bandwidth: blocks taken back with everything compared. */
async function restoreSpeed(
  model: string,
): Promise<{ readonly blockBytes: number; readonly bytesPerSecond: number }> {
  const tokens = 512;
  using trial = await BlockTrial.open(model, {
    ...{ tokens, cells: 2 * tokens + 256, poolPath: `/dev/shm/pixii-trial-${Deno.pid}` },
    nowMs: () => performance.now(),
  });
  trial.keep();
  const runs: number[] = [];
  for (let i = 0; i < 7; i++) {
    const startedMs = performance.now();
    trial.restore();
    runs.push(trial.blocks * trial.blockBytes / ((performance.now() - startedMs) / 1000));
  }
  return { blockBytes: trial.blockBytes, bytesPerSecond: median(runs) };
}

if (import.meta.main) {
  const { benchFlags, jsonFlag } = await import("./flags.ts");
  const { printFigure, printMachine } = await import("./figure.ts");
  const { smollm2Path } = await import("@pixii/workers/testing");
  const values = benchFlags({
    task: "bench:kv:ttft",
    summary: "First tokens of prompts whose KV lies in a tier, beside what the tier allows.",
    specs: {
      json: jsonFlag,
      model: { kind: "text", help: "GGUF file; SmolLM2 if left out.", fallback: "" },
      "peer-only": { kind: "switch", help: "Measures llama-server only." },
      rounds: { kind: "number", help: "Rounds of the host rows.", fallback: 5 },
      restarts: {
        kind: "number",
        help: "Restarts for the disk rows; 0 = none.",
        fallback: 3,
        min: 0,
      },
      peer: {
        kind: "text",
        help: "Path of llama-server; else PIXII_LLAMA_SERVER; none: no rows of it.",
      },
    },
  });
  const model = values.model || smollm2Path();
  if (model === undefined) {
    console.error("Cannot measure: SmolLM2 is not here; deno task models pull smollm2");
    Deno.exit(3);
  }
  await printMachine();
  const peer = values.peer ?? Deno.env.get("PIXII_LLAMA_SERVER");
  const { rounds, restarts } = values;
  const onFigure = (one: Figure) => printFigure(one, values.json);
  const ours = !values["peer-only"];
  await kvTtftFigures({ model, rounds, restarts, peer, ours, onFigure });
}
