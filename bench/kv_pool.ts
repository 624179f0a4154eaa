/**
 * `deno task bench:kv:pool`: random operations of workers that come and die on the block manager's books, each compared with
 * a model of the memory. Whatever is pinned, reserved or lost at the end is a leak. Exit 1 where something is wrong.
 */
import { evictionNames, PoolTrial } from "@pixii/kvbm/core";
import { printFigure, printMachine } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";

const values = benchFlags({
  task: "bench:kv:pool",
  summary: "Random operations on the host tier's books against a model of the memory.",
  specs: {
    json: jsonFlag,
    operations: { kind: "number", help: "Operations in all.", fallback: 100_000_000 },
    seeds: { kind: "number", help: "Runs that they are spread over.", fallback: 100 },
    first: { kind: "number", help: "Seed of the first run.", fallback: 1 },
  },
});

/** Everything is compared after so many operations, and at the end. */
const checkEvery = 50_000;

/** What a pool of every size and order has done. */
const sum = { leaks: 0, deaths: 0, hits: 0, commits: 0, duplicates: 0, evictions: 0, damaged: 0 };

function run(seed: number, operations: number): void {
  let state = Math.imul(seed, 0x9e3779b1) >>> 0;
  const draw = (n: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor(state / 4_294_967_296 * n);
  };
  const segments = [4, 8, 40, 120][seed % 4];
  const evict = evictionNames[seed % evictionNames.length];
  const trial = new PoolTrial(draw, { segments, segmentPages: 24, evict });
  for (let i = 1; i <= operations; i++) {
    trial.step();
    if (i % checkEvery === 0) trial.check();
  }
  sum.leaks += trial.end();
  const { counts } = trial.pool;
  sum.deaths += trial.deaths;
  for (const name of ["hits", "commits", "duplicates", "evictions", "damaged"] as const) {
    sum[name] += counts[name];
  }
}

function main(): number {
  const seeds = Math.floor(values.seeds);
  const each = Math.ceil(values.operations / seeds);
  const startedMs = performance.now();
  for (let i = 0; i < seeds; i++) {
    const seed = Math.floor(values.first) + i;
    try {
      run(seed, each);
    } catch (error) {
      console.error(`--first ${seed} --seeds 1 --operations ${each}: ${(error as Error).stack}`);
      return 1;
    }
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  console.error(`${each * seeds} operations with ${seeds} seeds: ${JSON.stringify(sum)}`);
  printFigure({
    ...{ figure: "kv.pool_trial.leaks", value: sum.leaks, unit: "slots" },
    better: "lower",
  }, values.json);
  printFigure({
    ...{ figure: "kv.pool_trial.ops", value: each * seeds / seconds, unit: "1/s" },
    better: "higher",
  }, values.json);
  return sum.leaks === 0 ? 0 : 1;
}

await printMachine();
Deno.exit(main());
