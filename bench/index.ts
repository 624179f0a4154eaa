/**
 * `deno task bench:index [--json] [--trace FILE] [--passes N] [--only throughput|find]`: the router's index on one core, driven op by op and drained,
 * on the corpus of a trace: 20 copies with blocks of their own, ids cut into 4 blocks, 128 workers with 16,384 blocks of
 * LRU each, random placement. The plain Map tree runs beside it on the same slice, in turns.
 */
import { encodeKvEvents, kvEventsHeadBytes, limits } from "@pixii/wire";
import type { InstanceId, ModelHash } from "@pixii/wire";
import { IndexBudget, RunIndex } from "@pixii/router/index";
import { MapIndex } from "@pixii/router/oracle";
import { median, printFigure, printMachine, quantile } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";
import { makeCorpus } from "./index_corpus.ts";
import type { IndexCorpus } from "./index_corpus.ts";
import { blockOps, empty, findTimes, fleetOf, run } from "./index_passes.ts";
import type { Fleet } from "./index_passes.ts";
import { madePaths, readPaths } from "./prompt_paths.ts";
import type { PromptPaths } from "./prompt_paths.ts";
import { Seeded } from "./seeded.ts";

const workers = 128;
const copies = 20;
/** Block copies that the find figures rest on. */
const findBlocks = 5_000_000;
const coldBlocks = 10_000_000;
/** Requests of the slice that the Map tree does too. */
const mapQueries = 6_000;
const finds = 20_000;

const flags = benchFlags({
  task: "bench:index",
  summary:
    "The router's prefix index on one core: throughput, memory, finds; the Map tree beside it.",
  specs: {
    json: jsonFlag,
    trace: {
      kind: "text",
      help: "Mooncake trace (JSON lines) whose prompts are asked for; a made corpus without it.",
    },
    passes: { kind: "number", help: "Passes after the first.", fallback: 5 },
    only: { kind: "text", help: "find or throughput: only that part." },
  },
});
const json = flags.json;

await printMachine();
const prompts = flags.trace === undefined ? madePaths() : await readPaths(flags.trace);
const source = flags.trace === undefined
  ? "a made corpus of the conversation trace's shape (no --trace)"
  : flags.trace;
console.error(`corpus: ${source}, ${prompts.paths.length} prompts x ${copies}`);
if (flags.only !== "find") throughput(prompts);
if (flags.only !== "throughput") latency(prompts);

function roomy(): RunIndex {
  return new RunIndex(new IndexBudget(2 ** 32));
}

/** Block operations a second and bytes a membership; the Map tree beside them. */
function throughput(paths: PromptPaths): void {
  const corpus = makeCorpus(paths, { copies, workers, capacity: 16_384 });
  console.error(
    `${corpus.ops.length} operations, ${corpus.queried} hashes asked, ${corpus.stored} stored, ${corpus.removed} removed`,
  );
  const index = roomy();
  const fleet = fleetOf(index, workers);
  const all = blockOps(corpus);
  const first = run(fleet, corpus.ops);
  empty(fleet);
  run(fleet, corpus.ops);
  const bytes = index.size.bytes / index.blocks;
  const slice = sliceOf(corpus);
  const runs: number[] = [];
  const pairs: { ours: number; theirs: number }[] = [];
  for (let pass = 0; pass < flags.passes; pass++) {
    if (pass < 3) pairs.push(pairOf(fleet, slice));
    empty(fleet);
    runs.push(all / run(fleet, corpus.ops).seconds);
  }
  const theirs = median(pairs.map((pair) => pair.theirs));
  printFigure({
    ...{ figure: "index.block_ops", value: median(runs), unit: "1/s", better: "higher", runs },
    ...{ anchor: "Map tree, same slice", anchorValue: theirs },
    ratio: median(pairs.map((pair) => pair.ours / pair.theirs)),
  }, json);
  const firstPass = all / first.seconds;
  printFigure({
    ...{ figure: "index.block_ops_first_pass", value: firstPass, unit: "1/s", better: "higher" },
  }, json);
  printFigure({
    ...{ figure: "index.bytes_per_membership", value: bytes, unit: "B", better: "lower" },
  }, json);
}

function sliceOf(corpus: IndexCorpus) {
  let queries = 0;
  const end = corpus.ops.findIndex((op) => op.op === "query" && queries++ === mapQueries);
  const ops = corpus.ops.slice(0, end < 0 ? undefined : end);
  let blocks = 0;
  for (const op of ops) {
    if (op.op === "query") blocks += op.list.lo.length;
    else blocks += op.bytes[0] === 1 ? (op.bytes.length - 12) / 12 : (op.bytes.length - 8) / 4;
  }
  return { ops, blocks };
}

/** Both indexes on the same slice; their answers must be the same. */
function pairOf(fleet: Fleet, { ops, blocks }: ReturnType<typeof sliceOf>) {
  empty(fleet);
  const ours = run(fleet, ops);
  const theirs = run(fleetOf(new MapIndex(), workers), ops);
  if (ours.sum !== theirs.sum) throw new Error("the index and the Map tree do not agree");
  return { ours: blocks / ours.seconds, theirs: blocks / theirs.seconds };
}

/** Finds among 5 M and 10 M block copies, with holes and without, and how long 10 M take to come in anew. */
function latency(paths: PromptPaths): void {
  progress("find: makes a corpus");
  const corpus = makeCorpus(paths, { copies, workers, capacity: Math.floor(findBlocks / workers) });
  progress("find: fills two indexes");
  const [clean, holed] = [fleetOf(roomy(), workers), fleetOf(roomy(), workers)];
  for (const fleet of [clean, holed]) run(fleet, corpus.ops);
  progress("find: makes holes");
  punch(holed);
  progress("find: measures finds");
  const times = { clean: [] as number[], holed: [] as number[] };
  findTimes(clean, corpus.ops, finds);
  for (let round = 0; round < 5; round++) {
    times.clean.push(...findTimes(clean, corpus.ops, finds));
    times.holed.push(...findTimes(holed, corpus.ops, finds));
  }
  console.error(`${clean.index.blocks} block copies; with holes ${holed.index.blocks}`);
  const p99 = quantile(times.clean, 0.99);
  lower("index.find_p50", quantile(times.clean, 0.5), "us");
  lower("index.find_p99", p99, "us");
  lower("index.fragmented_p99_ratio", quantile(times.holed, 0.99) / p99, "ratio");
  progress("find: fills an index of 10 M");
  const big = makeCorpus(paths, { copies, workers, capacity: Math.floor(coldBlocks / workers) });
  const cold = fleetOf(roomy(), workers);
  run(cold, big.ops);
  progress("find: measures cold finds");
  const coldTimes = findTimes(cold, big.ops, finds);
  console.error(`${cold.index.blocks} block copies, finds far from each other`);
  lower("index.find_cold_p50", quantile(coldTimes, 0.5), "us");
  lower("index.find_cold_p99", quantile(coldTimes, 0.99), "us");
  rebuild(cold);
}

/** Takes a fiftieth of the memberships out, one by one, wherever they are. */
function punch({ index, slots }: Fleet): void {
  const random = new Seeded(3);
  for (const slot of slots) {
    const numbers: number[] = [];
    for (const event of index.snapshot(slot)) {
      if (event.op !== "stored") continue;
      for (const number of event.numbers) if (random.below(50) === 0) numbers.push(number);
    }
    index.apply(slot, [{ op: "removed", numbers: Uint32Array.from(numbers) }]);
  }
}

/** Snapshots of every worker, as bytes, into an empty index. */
function rebuild({ index, slots }: Fleet): void {
  progress("rebuild: takes snapshots");
  const zero = "0".repeat(16);
  const snapshots = slots.map((slot) =>
    encodeKvEvents({
      ...{ owner: zero as InstanceId, epoch: zero as InstanceId, model: zero as ModelHash },
      ...{ dpRank: 0, tier: "device", cacheGroup: 0, blockSize: 128, number: 1 },
      events: [...index.snapshot(slot)],
    }, limits.assembledBytes)
  );
  progress("rebuild: fills empty indexes");
  const seconds: number[] = [];
  for (let round = 0; round < 3; round++) {
    const fresh = fleetOf(roomy(), workers);
    const start = performance.now();
    snapshots.forEach((bytes, i) => {
      const body = { at: kvEventsHeadBytes, ops: 65_535 };
      fresh.index.applyEncoded(fresh.slots[i], bytes, body);
    });
    seconds.push((performance.now() - start) / 1000);
    if (fresh.index.blocks !== index.blocks) throw new Error("a snapshot lost blocks");
  }
  printFigure({
    ...{ figure: "index.rebuild_10m", value: median(seconds), unit: "s", better: "lower" },
    runs: seconds,
  }, json);
}

/** Says on stderr how far it is. */
function progress(what: string): void {
  console.error(`${(performance.now() / 1000).toFixed(1).padStart(6)} s  ${what}`);
}

function lower(figure: string, value: number, unit: string): void {
  printFigure({ figure, value, unit, better: "lower" }, json);
}
