/**
 * `deno task soak`: minutes of mixed load on the whole house (sim engine without waits, real NATS and etcd), then what must
 * be flat and what must be empty. Flat from the second third to the last: the highest resident set (a tenth), and the lowest
 * heap, which is what stays alive (a quarter; it is only seen after a full collection). Medians would compare where the
 * saw of the collector happens to stand. Empty at the end: live streams and bookings. Flags: --minutes N (5), --json.
 * Exit 1 where memory grew by more or something was left.
 */
import { startDev } from "./child.ts";
import type { Dev } from "./child.ts";
import { printFigure, printMachine } from "./figure.ts";
import { loadOnce } from "./load_run.ts";
import { qwen3Folder } from "./qwen3_folder.ts";
import { residentMb } from "./resident.ts";
import type { ServeCase } from "./serve_cases.ts";
import { benchFlags, jsonFlag } from "./flags.ts";

const values = benchFlags({
  task: "soak",
  summary: "Minutes of mixed load, then what must be flat and what must be empty.",
  specs: {
    json: jsonFlag,
    minutes: { kind: "number", help: "How long.", fallback: 5, min: 0 },
  },
});

/** Growth that is still called flat: of the highest resident set, and of the lowest heap (what is alive). */
const flat = { high: 1.1, floor: 1.25 } as const;
const sampleEveryMs = 500;
const heapPattern = /^pixii_\w+_process_heap_bytes(?:\{.*?\})? ([\d.e+]+)$/gm;

/** What one program held, in MB. */
interface Held {
  readonly resident: number[];
  readonly heap: number[];
}

/** Chats with a shared prefix and a tail of their own, long and short, streamed and not. */
const mix: readonly ServeCase["load"][] = [
  {
    ...{ concurrency: 32, requests: 600, warmup: 1, sharedWords: 256, ownWords: 256 },
    ...{ outputTokens: 128, stream: true },
  },
  {
    ...{ concurrency: 16, requests: 2000, warmup: 1, sharedWords: 0, ownWords: 16 },
    ...{ outputTokens: 1, stream: false },
  },
  {
    ...{ concurrency: 8, requests: 40, warmup: 1, sharedWords: 4000, ownWords: 2000 },
    ...{ outputTokens: 16, stream: true },
  },
];

async function gauge(url: string, pattern: RegExp): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  let sum = 0;
  for (const match of text.matchAll(pattern)) sum += Number(match[1]);
  return sum;
}

/** Waits until nothing is live, at most 10 s, and names what is. */
async function leftovers(dev: Dev): Promise<string[]> {
  const at = (service: string) => dev.processes.find((one) => one.service === service)!.admin;
  const checks: readonly (readonly [string, string, RegExp])[] = [
    ["streams of the frontend", at("frontend"), /^pixii_frontend_live_streams(?:\{.*?\})? (\d+)/gm],
    ["sequences of the worker", at("worker"), /^pixii_worker_running(?:_\w+)?(?:\{.*?\})? (\d+)/gm],
    ["bookings of the router", at("router"), /^pixii_router_ledger_bookings(?:\{.*?\})? (\d+)/gm],
  ];
  const endMs = performance.now() + 10_000;
  while (true) {
    const left: string[] = [];
    for (const [what, url, pattern] of checks) {
      const count = await gauge(url, pattern);
      if (count > 0) left.push(`${count} ${what}`);
    }
    if (left.length === 0 || performance.now() > endMs) return left;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

async function soak(): Promise<number> {
  const folder = await qwen3Folder();
  await using dev = await startDev([
    ...["--topology", "processes", "--model", folder, "--served-name", "bench", "--workers", "2"],
    ...["--engine", "sim", "--sim-speed", "inf", "--max-seqs", "64", "--ctx", "32768"],
  ]);
  const samples = new Map<string, Held>(
    dev.processes.map((one, i) => [`${one.service}.${i}`, { resident: [], heap: [] }]),
  );
  const timer = setInterval(() => {
    dev.processes.forEach((one, i) => {
      const held = samples.get(`${one.service}.${i}`)!;
      held.resident.push(residentMb(one.pid));
      gauge(one.admin, heapPattern).then(
        (bytes) => held.heap.push(bytes / 1e6),
        (error) => console.error(`${one.service}.${i} did not answer: ${error.message}`),
      );
    });
  }, sampleEveryMs);
  const target = { url: dev.url, model: "bench", checkTokens: true };
  const endMs = performance.now() + values.minutes * 60_000;
  let requests = 0;
  for (let round = 1; performance.now() < endMs; round++) {
    for (const load of mix) {
      const one: ServeCase = { name: "soak", load, peerShare: 1, metrics: [] };
      await loadOnce(one, target, { seed: round, share: 1 });
      requests += load.requests;
    }
  }
  clearInterval(timer);
  const left = await leftovers(dev);
  let failed = left.length > 0;
  for (const line of left) console.error(`left at the end: ${line}`);
  console.error(`${requests} requests in ${values.minutes} minutes`);
  for (const [name, { resident, heap }] of samples) {
    const high = growth(resident, (part) => Math.max(...part));
    const floor = growth(heap, (part) => Math.min(...part));
    for (
      const [what, { before, after }, most] of [
        ["rss_high", high, flat.high],
        ["heap_floor", floor, flat.floor],
      ] as const
    ) {
      if (!(after <= before * most)) {
        failed = true;
        console.error(`${name} ${what} grew from ${before.toFixed(0)} to ${after.toFixed(0)} MB`);
      }
      printFigure({
        figure: `soak.${name}.${what}_growth`,
        value: after / before,
        unit: "ratio",
        better: "lower",
        anchor: "MB in the second third",
        anchorValue: before,
        ratio: after / before,
      }, values.json);
    }
  }
  return failed ? 1 : 0;
}

/** What `of` makes of the second third and of the last. */
function growth(all: readonly number[], of: (part: readonly number[]) => number) {
  const third = Math.floor(all.length / 3);
  return { before: of(all.slice(third, 2 * third)), after: of(all.slice(2 * third)) };
}

await printMachine();
Deno.exit(await soak());
