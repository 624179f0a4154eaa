import type { Overlap, RouteRequest } from "@pixii/wire";
import { BoundedMap } from "./bounded_map.ts";
import type { Model } from "./model.ts";
import { PooledLru } from "./pooled_lru.ts";

/** Models and block sizes that are followed; over this the one that came first is forgotten. */
const mostPools = 16;
/** Prompts after which the pool's size is looked at again. */
const resizeEvery = 256;

/** Whole prompt blocks since the start. */
export interface ReachCounts {
  readonly model: string;
  /** Of all placed requests. */
  readonly blocks: number;
  /** Those that the chosen workers held. */
  readonly achieved: number;
  /** Those that one cache of all workers' room would have held, estimated; never falls. */
  readonly reachable: number;
}

interface Pool {
  readonly model: string;
  readonly lru: PooledLru;
  prompts: number;
  blocks: number;
  achieved: number;
  /** Blocks missed by the pool, estimated. */
  missed: number;
  reachable: number;
}

/**
 * Reachable against achieved, per model: the blocks that a single cache with the room of all workers together would have
 * held of the same prompts, beside those that the chosen workers held. Counts device caches only in the room.
 */
export class Reach {
  readonly #pools = new BoundedMap<string, Pool>(mostPools);
  readonly #open: Pool[] = [];

  /** Takes a placed request in. O(prompt blocks), most of them passed over by one comparison. */
  placed(
    model: Model,
    request: RouteRequest,
    at: { readonly blockSize: number; readonly overlap: Overlap },
  ): void {
    const { blockSize, overlap } = at;
    const entry = request.hashes.find((one) => one.blockSize === blockSize);
    if (entry === undefined || entry.list.lo.length === 0) return;
    const pool = this.#pool(model, blockSize);
    if (pool.prompts++ % resizeEvery === 0) pool.lru.resize(roomOf(model, blockSize));
    const blocks = entry.list.lo.length;
    pool.missed += pool.lru.use(entry.list).missed / pool.lru.rate;
    pool.blocks += blocks;
    pool.achieved += Math.min(blocks, overlap.device + overlap.host + overlap.disk);
    pool.reachable = Math.max(pool.reachable, Math.round(pool.blocks - pool.missed));
  }

  /** The counts by model; several block sizes of one model are added up. */
  counts(): ReachCounts[] {
    const byModel = Map.groupBy(this.#open, ({ model }) => model);
    return Array.from(byModel, ([model, pools]) => {
      const sum = (name: "blocks" | "achieved" | "reachable") =>
        pools.reduce((all, pool) => all + pool[name], 0);
      return {
        ...{ model, blocks: sum("blocks"), achieved: sum("achieved") },
        reachable: sum("reachable"),
      };
    });
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    for (const { lru } of this.#open) lru.checkIntegrity();
  }

  #pool(model: Model, blockSize: number): Pool {
    const key = `${model.hash}.${blockSize}`;
    let pool = this.#pools.get(key);
    if (pool === undefined) {
      pool = {
        ...{ model: model.name, lru: new PooledLru(), prompts: 0 },
        ...{ blocks: 0, achieved: 0, missed: 0, reachable: 0 },
      };
      this.#pools.set(key, pool);
      this.#open.push(pool);
      if (this.#open.length > mostPools) this.#open.shift();
    }
    return pool;
  }
}

/** Device blocks of all ranks of one block size. */
function roomOf(model: Model, blockSize: number): number {
  let blocks = 0;
  for (const { card } of model.ranks) if (card.blockSize === blockSize) blocks += card.totalBlocks;
  return blocks;
}
