/**
 * `deno task soak:kv`: minutes of mixed traffic of real llama workers over tiers so small that blocks come and go all the
 * time: chats that share documents, in several lengths, some given up by their client. Then: memory and file handles of
 * every process flat from the second third to the last, every block of both tiers whole (`kv verify`), nothing pinned, leased
 * or running. Exit 1 where one of these is not so.
 */
import { bundledModel } from "@pixii/workers/testing";
import { startDev } from "./child.ts";
import type { Dev } from "./child.ts";
import { printFigure, printMachine } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";
import { residentMb } from "./resident.ts";
import { Seeded } from "./seeded.ts";

const values = benchFlags({
  task: "soak:kv",
  summary: "Minutes of churn through small KV tiers, then what must be flat, whole and empty.",
  specs: {
    json: jsonFlag,
    minutes: { kind: "number", help: "How long.", fallback: 20, min: 0 },
    model: { kind: "text", help: "Model; the bundled tiny one if left out.", fallback: "" },
  },
});

/** Growth of the highest resident set that is still flat, and file handles that come and go with connections. */
const flat = { high: 1.1, handles: 8 } as const;
const sampleEveryMs = 1_000;
const clients = 4;
/** Documents that prompts begin with; a few are asked for much more often than the rest. */
const documents = 120;
const served = "soak";

/** Tokens of a document or of a question: always the same for a seed. */
function tokens(seed: number, length: number): number[] {
  const seeded = new Seeded(seed);
  return Array.from({ length }, () => 300 + seeded.below(200));
}

/** What traffic came to. */
interface Traffic {
  answers: number;
  givenUp: number;
  readonly failures: string[];
}

async function client(dev: Dev, seed: number, { endMs, traffic }: {
  readonly endMs: number;
  readonly traffic: Traffic;
}): Promise<void> {
  const seeded = new Seeded(seed);
  while (performance.now() < endMs) {
    // Squared: the first tenth of the documents gets a third of the prompts.
    const document = Math.floor(documents * (seeded.below(1000) / 1000) ** 2);
    const prompt = [
      ...tokens(1 + document, 128 + 64 * (document % 12)),
      ...tokens(10_000 + seeded.below(1e6), 8 + seeded.below(150)),
    ];
    const leave = new AbortController();
    const leaves = seeded.below(20) === 0;
    const timer = leaves ? setTimeout(() => leave.abort(), seeded.below(60)) : undefined;
    try {
      const response = await fetch(`${dev.url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          ...{ model: served, prompt, temperature: 0, max_tokens: 1 + seeded.below(40) },
          ...{ ignore_eos: true, stream: seeded.below(2) === 0 },
        }),
        signal: leave.signal,
      });
      const body = await response.text();
      if (response.ok) traffic.answers += 1;
      else traffic.failures.push(`${response.status}: ${body.slice(0, 200)}`);
    } catch (error) {
      if (leave.signal.aborted) traffic.givenUp += 1;
      else traffic.failures.push((error as Error).message);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What one process held. */
interface Held {
  readonly resident: number[];
  readonly handles: number[];
}

function sample(dev: Dev, held: ReadonlyMap<string, Held>): void {
  dev.processes.forEach((one, i) => {
    const { resident, handles } = held.get(`${one.service}.${i}`)!;
    resident.push(residentMb(one.pid));
    handles.push([...Deno.readDirSync(`/proc/${one.pid}/fd`)].length);
  });
}

function adminOf(dev: Dev, service: string): string {
  return dev.processes.find((one) => one.service === service)!.admin;
}

/** Waits until nothing is pinned, leased or running, at most 10 s, and names what is. */
async function leftovers(dev: Dev): Promise<string[]> {
  const endMs = performance.now() + 10_000;
  while (true) {
    const left: string[] = [];
    const pool = await (await fetch(`${adminOf(dev, "kvbm")}/pool`)).json();
    if (pool.blocks.pinned > 0) left.push(`${pool.blocks.pinned} pinned blocks`);
    for (const { leases } of pool.workers) if (leases > 0) left.push(`${leases} leases`);
    for (const { service, admin } of dev.processes) {
      if (service !== "worker") continue;
      const { details } = await (await fetch(`${admin}/health`)).json();
      if (details.running + details.waiting > 0) left.push("running requests");
    }
    if (left.length === 0 || performance.now() > endMs) return left;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** What `kv verify` says of both tiers. */
async function verify(dev: Dev): Promise<{ readonly text: string; readonly isClean: boolean }> {
  const response = await fetch(`${adminOf(dev, "kvbm")}/kv/verify`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  const text = await response.text();
  const counts = [...text.matchAll(/"damaged":(\d+)/g)].map((match) => Number(match[1]));
  return {
    text: text.slice(0, 400),
    isClean: response.ok && counts.length > 0 && counts.every((count) => count === 0),
  };
}

/** The highest of the second third and of the last. */
function highs(all: readonly number[]) {
  const third = Math.floor(all.length / 3);
  return {
    before: Math.max(...all.slice(third, 2 * third)),
    after: Math.max(...all.slice(2 * third)),
  };
}

function report(held: ReadonlyMap<string, Held>): boolean {
  let isFlat = true;
  for (const [name, { resident, handles }] of held) {
    const memory = highs(resident);
    const files = highs(handles);
    if (!(memory.after <= memory.before * flat.high)) {
      isFlat = false;
      console.error(
        `${name} grew from ${memory.before.toFixed(0)} to ${memory.after.toFixed(0)} MB`,
      );
    }
    if (!(files.after <= files.before + flat.handles)) {
      isFlat = false;
      console.error(`${name} grew from ${files.before} to ${files.after} file handles`);
    }
    for (
      const [what, { before, after }, anchor] of [
        ["rss_high", memory, "MB in the second third"],
        ["handles_high", files, "in the second third"],
      ] as const
    ) {
      printFigure({
        ...{ figure: `soak.kv.${name}.${what}_growth`, value: after / before, unit: "ratio" },
        ...{ better: "lower", anchor, anchorValue: before, ratio: after / before },
      }, values.json);
    }
  }
  return isFlat;
}

async function soak(): Promise<number> {
  const disk = await Deno.makeTempDir({ prefix: "pixii-soak-" });
  await using dev = await startDev([
    ...["--topology", "processes", "--model", values.model || bundledModel("tiny.gguf")],
    ...["--served-name", served, "--workers", "2", "--threads", "1", "--max-seqs", "2"],
    ...["--ctx", "1280", "--kv-host", "16MiB", "--kv-disk", `64MiB:${disk}`],
  ]);
  const held = new Map<string, Held>(
    dev.processes.map((one, i) => [`${one.service}.${i}`, { resident: [], handles: [] }]),
  );
  const traffic: Traffic = { answers: 0, givenUp: 0, failures: [] };
  const endMs = performance.now() + values.minutes * 60_000;
  const timer = setInterval(() => sample(dev, held), sampleEveryMs);
  const all = Array.from({ length: clients }, (_, i) => client(dev, 1 + i, { endMs, traffic }));
  await Promise.all(all);
  clearInterval(timer);
  const left = await leftovers(dev);
  const verified = await verify(dev);
  const kv = await (await fetch(`${adminOf(dev, "kvbm")}/kv`)).json();
  console.error(
    `${traffic.answers} answers, ${traffic.givenUp} given up, ${traffic.failures.length} failed, in ${values.minutes} minutes`,
  );
  console.error(`tiers at the end: ${JSON.stringify(kv).slice(0, 800)}`);
  console.error(`verify: ${verified.text}`);
  for (const line of left) console.error(`left at the end: ${line}`);
  for (const line of new Set(traffic.failures.slice(0, 20))) console.error(`failed: ${line}`);
  const isFlat = report(held);
  await Deno.remove(disk, { recursive: true });
  const isFine = traffic.failures.length === 0 && traffic.answers > 0 && verified.isClean;
  return isFine && left.length === 0 && isFlat ? 0 : 1;
}

await printMachine();
Deno.exit(await soak());
