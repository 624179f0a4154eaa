/**
 * `deno task bench:serve`: the whole house under load. Sim engine without waits, Qwen3's tokenizer and template, kv router,
 * random prompts, real NATS and etcd, the five programs and the client on the same cores. Beside each figure its ceiling:
 * the same client against a bare `Deno.serve`. Flags: --json, --rounds N, --only NAME, --peer dynamo (and --python PATH).
 */
import { freePort, startChild, startDev, untilAnswer } from "./child.ts";
import type { Dev } from "./child.ts";
import { median, printFigure, printMachine } from "./figure.ts";
import { loadOnce, startBare } from "./load_run.ts";
import type { ServeTarget } from "./load_run.ts";
import { serveCases } from "./serve_cases.ts";
import type { ServeCase } from "./serve_cases.ts";
import { qwen3Folder } from "./qwen3_folder.ts";
import { residentMb, watchResident } from "./resident.ts";
import { startDynamo } from "./dynamo_peer.ts";
import { benchFlags, jsonFlag } from "./flags.ts";

const values = benchFlags({
  task: "bench:serve",
  summary: "The whole house against its aims: requests a second, TTFT, memory.",
  specs: {
    json: jsonFlag,
    rounds: { kind: "number", help: "Runs of each case; figures are their medians.", fallback: 3 },
    only: { kind: "text", help: "Only cases whose name holds this.", fallback: "" },
    peer: { kind: "text", help: "dynamo: runs beside us, in the same run." },
    python: { kind: "text", help: "The Python that has the peer's packages.", fallback: "python3" },
  },
});

const rounds = values.rounds;
/** From the last request to the look at what the frontend holds then. */
const restMs = 3_000;

function frontendPid(dev: Dev): number {
  const found = dev.processes.find((one) => one.service === "frontend");
  if (found === undefined) throw new Error("the ready file names no frontend");
  return found.pid;
}

/** Resident set of another frontend of the same cluster, up and idle: no request has loaded a vocabulary in it. */
async function freshFrontendMb(dev: Dev): Promise<number> {
  const url = `http://127.0.0.1:${freePort()}`;
  await using child = startChild(Deno.execPath(), {
    args: [
      ...["run", "-A", "--no-check", new URL("../frontend/main.ts", import.meta.url).pathname],
      ...["--nats", dev.nats, "--etcd", dev.etcd, "--namespace", dev.namespace],
      ...["--port", new URL(url).port, "--log", "error"],
    ],
    url,
  });
  await untilAnswer(`${url}/v1/models`, { matches: /"bench"/, withinMs: 20_000 });
  return residentMb(child.pid);
}

async function measureCase(one: ServeCase, ours: ServeTarget, peer: ServeTarget | undefined) {
  const results: Record<"ours" | "peer", Awaited<ReturnType<typeof loadOnce>>[]> = {
    ours: [],
    peer: [],
  };
  const ceilings: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const seed = 100 * round + 1;
    results.ours.push(await loadOnce(one, ours, { seed, share: 1 }));
    if (peer !== undefined) {
      results.peer.push(await loadOnce(one, peer, { seed, share: one.peerShare }));
    }
    await using bare = await startBare(one);
    ceilings.push((await loadOnce(one, bare, { seed, share: 1 })).requestsPerSecond);
  }
  return { ...results, ceiling: median(ceilings) };
}

await printMachine();
const folder = await qwen3Folder();
await using dev = await startDev([
  ...["--topology", "processes", "--model", folder, "--served-name", "bench"],
  ...["--engine", "sim", "--sim-speed", "inf", "--max-seqs", "256", "--ctx", "131072"],
  ...["--router", "kv", "--worker.max-waiting", "1024"],
]);
const rssStart = await freshFrontendMb(dev);
const ours: ServeTarget = { url: dev.url, model: "bench", checkTokens: true };
const frontend = frontendPid(dev);
using resident = watchResident(frontend);
await using peerServer = values.peer === "dynamo"
  ? await startDynamo({ python: values.python, folder })
  : undefined;
const peer = peerServer && { url: peerServer.url, model: "bench", checkTokens: true };
for (const one of serveCases) {
  if (!one.name.includes(values.only)) continue;
  const measured = await measureCase(one, ours, peer);
  console.error(
    `${one.name}: bare Deno.serve with this client ${measured.ceiling.toFixed(0)} req/s`,
  );
  for (const metric of one.metrics) {
    const runs = measured.ours.map((result) => result[metric.of]);
    const beside = measured.peer.map((result) => result[metric.of]);
    printFigure({
      figure: `serve.${one.name}.${metric.name}`,
      value: median(runs),
      unit: metric.unit,
      better: metric.better,
      ...(beside.length === 0 ? {} : {
        anchor: "Dynamo 1.6.1 over NATS",
        anchorValue: median(beside),
        ratio: median(runs) / median(beside),
      }),
      runs,
    }, values.json);
  }
}
// A frontend that rests gives memory back within 1.5 s.
await new Promise((resolve) => setTimeout(resolve, restMs));
const residents = {
  rss_start: rssStart,
  rss_loaded: residentMb(frontend),
  rss_peak: resident.peakMb,
};
for (const [name, value] of Object.entries(residents)) {
  const figure = `serve.frontend.${name}`;
  printFigure({ figure, value, unit: "MB", better: "lower" }, values.json);
}
