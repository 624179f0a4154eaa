/**
 * `deno task bench:tiers [--trace FILE] [--json]`: what the block manager's tiers find of what they could: hits as a part of
 * those of tiers without a bound, by blocks in all, for its own eviction orders on its own books and for others beside
 * them. A trace is replayed whole and in halves, and made traces of other kinds with it.
 */
import { BeladyOrder, LruOrder, pooledHits } from "@pixii/cluster/traces";
import type { DenseTrace, EvictionOrder, PooledView } from "@pixii/cluster/traces";
import { evictionNames } from "@pixii/kvbm/core";
import { printFigure, printMachine } from "./figure.ts";
import { benchFlags, jsonFlag } from "./flags.ts";
import { LfuOrder, S3FifoOrder } from "./tiers_orders.ts";
import { poolHits } from "./tiers_pool.ts";
import { madeTraces, readTraces } from "./tiers_traces.ts";
import type { NamedTrace } from "./tiers_traces.ts";

/** Capacities, in blocks of all tiers together; the last is the figure's. */
const capacities = [2_048, 4_096, 8_192, 16_384, 32_768] as const;
/** Host's part of all blocks, where there is a disk too. */
const hostParts = [1 / 2, 1 / 8] as const;

const flags = benchFlags({
  task: "bench:tiers",
  summary: "What the tiers find of what tiers without a bound would, by eviction order and size.",
  specs: {
    json: jsonFlag,
    trace: { kind: "text", help: "Mooncake trace (JSON lines), replayed whole and in halves." },
    only: { kind: "text", help: "Only traces of this name: trace, first-half, agents ..." },
  },
});

/** Orders that are compared over one pool; they touch a prompt's blocks at once. */
const others: Readonly<Record<string, (view: PooledView) => EvictionOrder>> = {
  "ideal lru": (view) => new LruOrder(view),
  lfu: (view) => new LfuOrder(view),
  "s3-fifo": (view) => new S3FifoOrder(view),
  belady: (view) => new BeladyOrder(view),
};

await printMachine();
const traces = [
  ...(flags.trace === undefined ? [] : await readTraces(flags.trace)),
  ...madeTraces(),
].filter(({ name }) => flags.only === undefined || name === flags.only);
for (const one of traces) compare(one);

function hitsOf(trace: DenseTrace, blocks: number, order: (view: PooledView) => EvictionOrder) {
  return pooledHits(trace, blocks, order).hits.reduce((sum, hits) => sum + hits, 0);
}

function compare({ name, trace }: NamedTrace): void {
  const all = trace.requests.reduce((sum, { blocks }) => sum + blocks.length, 0);
  const most = hitsOf(trace, Infinity, others["ideal lru"]);
  console.error(
    `\n${name}: ${trace.requests.length} prompts, ${all} blocks, ${trace.distinct} different; without a bound ${
      (most / all).toFixed(4)
    } are found`,
  );
  console.error(
    "blocks in all".padEnd(24) + capacities.map((one) => `${one}`.padStart(9)).join(""),
  );
  const row = (label: string, hits: (blocks: number) => number) => {
    const parts = capacities.map((blocks) => hits(blocks) / most);
    console.error(label.padEnd(24) + parts.map((part) => part.toFixed(4).padStart(9)).join(""));
    return parts;
  };
  const rows = new Map<string, readonly number[]>();
  for (const [label, order] of Object.entries(others)) {
    rows.set(label, row(label, (blocks) => hitsOf(trace, blocks, order)));
  }
  for (const evict of evictionNames) {
    rows.set(
      evict,
      row(`pool ${evict}`, (blocks) => poolHits(trace, { host: blocks, disk: 0, evict }).host),
    );
    for (const part of hostParts) {
      row(`  host ${part}, disk the rest`, (blocks) => {
        const { host, disk } = poolHits(trace, {
          host: blocks * part,
          disk: blocks * (1 - part),
          evict,
        });
        return host + disk;
      });
    }
  }
  const [own, lru] = [rows.get("worth")!, rows.get("ideal lru")!];
  capacities.forEach((blocks, i) => {
    const isFigure = name === "trace" && i === capacities.length - 1;
    printFigure({
      figure: isFigure ? "tiers.hit_vs_infinite" : `tiers.hit_vs_infinite.${name}.${blocks}`,
      ...{ value: own[i], unit: "ratio", better: "higher" },
      ...{ anchor: "LRU", anchorValue: lru[i], ratio: own[i] / lru[i] },
    }, flags.json);
  });
}
