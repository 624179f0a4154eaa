/**
 * `deno task bench:events [--json] [--seconds N]`: a publisher process → real NATS → the router's bus, decoding and index,
 * until a route request would see the blocks. Once with 128 blocks a message, once with 1 or 2; as fast as it goes, then
 * at half of the aim (or of what was reached, where that is less) for the time until visible.
 */
import { kvEventsHeadBytes, subjects } from "@pixii/wire";
import { connectBus, startNats, systemClock } from "@pixii/runtime";
import type { Bus, Log } from "@pixii/runtime";
import { modelHash, stateOf } from "@pixii/router/oracle";
import { grant } from "./events_flow.ts";
import { median, printFigure, printMachine, quantile } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";

const workers = 8;
const namespace = "bench";
const aims = { blocks: 2e7, messages: 2.5e5 };

const flags = benchFlags({
  task: "bench:events",
  summary: "KV events from a publisher process over real NATS into the index.",
  specs: {
    json: jsonFlag,
    seconds: { kind: "number", help: "Length of a run.", fallback: 3, min: 0 },
  },
});
const seconds = flags.seconds;
const quiet: Log = {
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: (message, more) => console.error(message, more),
  error: (message, more) => console.error(message, more),
  child: () => quiet,
};

/** What is published: blocks a message, messages, messages a second (0: as fast as it goes). */
interface Shape {
  readonly blocks: number;
  readonly messages: number;
  readonly rate: number;
}

await printMachine();
{
  await using server = await startNats();
  const parts = { clock: systemClock(), log: quiet, signal: new AbortController().signal };
  const connected = await connectBus(server.url, parts);
  if (!connected.ok) throw new Error(connected.error.message);
  await using bus = connected.value;
  const { port } = new URL(server.url);
  const measure = (shape: Shape) => receive(bus, port, shape);
  await measure({ blocks: 128, messages: 60_000, rate: 0 });
  const large = await repeated(measure, { blocks: 128, messages: 50_000 * seconds, rate: 0 });
  const small = await repeated(measure, { blocks: 2, messages: 100_000 * seconds, rate: 0 });
  const blocks = large.map((rate) => 128 * rate);
  rated("events.blocks", blocks);
  rated("events.messages", small);
  const rates = [
    { blocks: 128, rate: Math.min(aims.blocks, median(blocks)) / 128 / 2 },
    { blocks: 2, rate: Math.min(aims.messages, median(small)) / 2 },
  ];
  const p99: number[] = [];
  for (const { blocks, rate } of rates) {
    const { times } = await measure({ blocks, messages: Math.floor(rate * seconds), rate });
    // The first half second is the start of the publisher.
    const steady = times.slice(Math.floor(times.length / 4));
    p99.push(quantile(steady, 0.99));
    console.error(
      `${blocks} blocks a message, ${Math.round(rate)} messages/s: visible after ` +
        `${quantile(steady, 0.5).toFixed(2)} ms p50, ${p99.at(-1)!.toFixed(2)} ms p99`,
    );
  }
  const value = Math.max(...p99);
  printFigure({
    ...{ figure: "events.visible_p99", value, unit: "ms", better: "lower", runs: p99 },
  }, flags.json);
}

async function repeated(
  measure: (shape: Shape) => Promise<{ rate: number }>,
  shape: Shape,
): Promise<number[]> {
  const rates: number[] = [];
  for (let run = 0; run < 3; run++) rates.push((await measure(shape)).rate);
  return rates;
}

function rated(figure: string, runs: readonly number[]): void {
  const value = median(runs);
  printFigure({ figure, value, unit: "1/s", better: "higher", runs }, flags.json);
}

/** Starts a publisher and applies all that it sends; messages a second, and ms from sent to applied. */
async function receive(
  bus: Bus,
  port: string,
  shape: Shape,
): Promise<{ rate: number; times: number[] }> {
  const state = stateOf(workers, { indexBytes: 2 ** 30 });
  const times: number[] = [];
  const all = Promise.withResolvers<void>();
  let count = 0;
  let startMs = 0;
  const file = new URL("./events_publisher.ts", import.meta.url).pathname;
  const named = { port, namespace, model: modelHash, workers, ...shape };
  const args = Object.entries(named).map(([name, value]) => `--${name}=${value}`);
  using _events = bus.subscribe(subjects(namespace).allKvEvents, ({ payload }) => {
    if (count === 0) startMs = performance.now();
    const taken = state.eventBytes(payload, startMs);
    if (!taken.ok || taken.value?.result !== "applied" || taken.value.fell !== undefined) {
      all.reject(new Error(`message ${count} was ${JSON.stringify(taken)}`));
    }
    if (shape.rate > 0) stamp(payload, times);
    count += 1;
    if (count % grant === 0) void allow.write(Uint8Array.of(1)).catch(() => {});
    if (count === shape.messages) all.resolve();
  });
  await bus.flush();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", file, ...args],
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const allow = child.stdin.getWriter();
  await all.promise;
  const rate = count / (performance.now() - startMs) * 1000;
  await allow.close();
  await child.status;
  state.checkIntegrity();
  return { rate, times };
}

/** The time since a stored run was sent, which is its first hash. */
function stamp(payload: Uint8Array, times: number[]): void {
  if (payload[kvEventsHeadBytes] !== 1) return;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const nowUs = (performance.timeOrigin + performance.now()) * 1000;
  const sentUs = view.getUint32(kvEventsHeadBytes + 16, true);
  let us = nowUs % 4294967296 - sentUs;
  if (us < -2147483648) us += 4294967296;
  times.push(us / 1000);
}
