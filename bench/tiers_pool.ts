import type { DenseRequest, DenseTrace } from "@pixii/cluster/traces";
import { BlockPool } from "@pixii/kvbm/core";
import type { EvictionName } from "@pixii/kvbm/core";
import { spread } from "./seeded.ts";

/** Blocks of a commit, as a worker's prefill chunks. */
const chunkBlocks = 8;

/** One tier: a pool's books with a block a page, and its one worker. */
class Tier {
  readonly pool: BlockPool;
  readonly client: number;

  constructor(blocks: number, evict: EvictionName) {
    const segments = 64;
    this.pool = new BlockPool({
      ...{ segments, segmentPages: Math.max(1, Math.floor(blocks / segments)), evict },
      slots: blocks,
    });
    const layout = this.pool.layout({ hi: 0, lo: 1, blockSize: 512, slotPages: 1 })!;
    this.client = this.pool.join(layout);
  }

  /** Stores blocks that follow one another, as many as there is room for. */
  put(rows: readonly number[][]): void {
    for (let at = 0; at < rows.length; at += chunkBlocks) {
      const part = rows.slice(at, at + chunkBlocks);
      const places = this.pool.reserve(this.client, part.length);
      const words: number[] = [];
      for (let i = 0; 2 * i < places.length; i++) words.push(places[2 * i], ...part[i]);
      this.pool.commit(this.client, Uint32Array.from(words));
    }
  }
}

/** What a trace found in the tiers: blocks of prompts that need not be computed, by tier. */
export interface TierHits {
  readonly host: number;
  readonly disk: number;
}

/**
 * Replays a trace on the block manager's own books, request by request: find, compute and commit the rest in chunks, release.
 * With a disk tier every block that the host evicts has been written to it before, and what is found there is brought back.
 */
export function poolHits(
  trace: DenseTrace,
  options: { readonly host: number; readonly disk: number; readonly evict: EvictionName },
): TierHits {
  const host = new Tier(options.host, options.evict);
  const disk = options.disk > 0 ? new Tier(options.disk, options.evict) : undefined;
  const { table } = host.pool;
  const evicted: number[][] = [];
  host.pool.onEvict = (slot) => {
    const { lo, hi, parentLo, parentHi, index } = table;
    if (disk) evicted.push([lo[slot], hi[slot], parentLo[slot], parentHi[slot], index[slot]]);
  };
  const hits = { host: 0, disk: 0 };
  for (const request of trace.requests) {
    const routes = routesOf(request);
    const found = host.pool.find(host.client, 1, routes);
    const inHost = run(found);
    const below = disk?.pool.find(disk.client, 1, routes);
    const known = below === undefined ? inHost : run(found, below);
    const most = Math.floor((request.inputTokens - 1) / trace.blockSize);
    const fromHost = countOf(found, Math.min(known, most));
    hits.host += fromHost;
    hits.disk += Math.min(known, most) - fromHost;
    const missing = rowsOf(routes).filter((_, i) => found[2 * i] === 0);
    host.put(missing);
    host.pool.release(host.client, [1]);
    disk?.pool.release(disk.client, [1]);
    for (const row of evicted.splice(0)) disk?.put([row]);
  }
  host.pool.checkIntegrity();
  disk?.pool.checkIntegrity();
  return hits;
}

/** RouteHashes of a request's blocks: rows of lo, hi. */
function routesOf({ blocks }: DenseRequest): Uint32Array {
  const routes = new Uint32Array(2 * blocks.length);
  blocks.forEach((block, i) => {
    routes[2 * i] = spread(block + 1);
    routes[2 * i + 1] = spread(block ^ 0x5bd1e995);
  });
  return routes;
}

/** Words of a commit without the slot, by block. */
function rowsOf(routes: Uint32Array): number[][] {
  return Array.from({ length: routes.length / 2 }, (_, i) => [
    ...[routes[2 * i], routes[2 * i + 1]],
    ...(i === 0 ? [0, 0] : [routes[2 * i - 2], routes[2 * i - 1]]),
    i,
  ]);
}

/** Blocks in a row from the first that are there, in either tier. */
function run(found: Uint32Array, below?: Uint32Array): number {
  let i = 0;
  while (2 * i < found.length && (found[2 * i] !== 0 || (below?.[2 * i] ?? 0) !== 0)) i += 1;
  return i;
}

function countOf(found: Uint32Array, most: number): number {
  let count = 0;
  for (let i = 0; i < most; i++) if (found[2 * i] !== 0) count += 1;
  return count;
}
