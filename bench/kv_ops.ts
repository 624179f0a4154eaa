import { BlockPool } from "@pixii/kvbm/core";
import { median } from "./figure.ts";
import type { Figure } from "./figure.ts";
import { Seeded } from "./seeded.ts";

/** What the row of the host tier's books is measured on. */
export interface KvOpsOptions {
  /** Blocks in the pool. */
  readonly blocks: number;
  readonly rounds: number;
}

const slotPages = 64;
/** Blocks asked for in a round. */
const perRound = 1_000_000;
/** Questions that are open at a time, as of workers that still restore. */
const openLeases = 32;

/**
 * `kv.ops`: blocks a second that are looked up, pinned, used and let go of, in questions of a prompt of 64 blocks each, drawn
 * at random from a pool that is full; with the eviction that is the default. `kv.ops_short`: prompts of 16 blocks.
 */
export function kvOpsFigures({ blocks, rounds }: KvOpsOptions): readonly Figure[] {
  return [["kv.ops", 64] as const, ["kv.ops_short", 16] as const].map(([figure, perPrompt]) => {
    const runs = runsOf({ blocks, perPrompt, rounds });
    return { figure, value: median(runs), unit: "1/s", better: "higher", runs };
  });
}

/** Blocks a second, by round. */
function runsOf(
  { blocks, perPrompt, rounds }: KvOpsOptions & { readonly perPrompt: number },
): readonly number[] {
  const prompts = Math.floor(blocks / perPrompt);
  const pool = fullPool(prompts, perPrompt);
  const client = pool.join(0);
  const seeded = new Seeded(7);
  const routes = new Uint32Array(2 * perPrompt);
  const runs: number[] = [];
  for (let round = -1; round < rounds; round++) {
    const order = Uint32Array.from(
      { length: Math.ceil(perRound / perPrompt) },
      () => seeded.below(prompts),
    );
    const startedMs = performance.now();
    for (let i = 0; i < order.length; i++) {
      keysOf(order[i], routes);
      const rows = pool.find(client, i + 1, routes);
      if (rows[0] === 0 || rows[2 * perPrompt - 2] === 0) throw new Error("a block is missing");
      if (i >= openLeases) pool.release(client, [i + 1 - openLeases]);
    }
    const seconds = (performance.now() - startedMs) / 1_000;
    for (let lease = 1; lease <= order.length; lease++) pool.release(client, [lease]);
    // The first round warms up.
    if (round >= 0) runs.push(order.length * perPrompt / seconds);
  }
  pool.checkIntegrity();
  return runs;
}

/** Keys of a prompt's blocks: as good as drawn, so that no two lie beside each other. */
function keysOf(prompt: number, into: Uint32Array): void {
  for (let i = 0; i < into.length; i += 2) {
    const number = prompt * (into.length / 2) + i / 2 + 1;
    into[i] = Math.imul(number, 0x9e3779b1);
    into[i + 1] = Math.imul(number, 0x85ebca6b);
  }
}

function fullPool(prompts: number, perPrompt: number): BlockPool {
  const segmentPages = slotPages * 1_024;
  const segments = Math.ceil(prompts * perPrompt / 1_024) + 1;
  const pool = new BlockPool({ segments, segmentPages });
  const layout = pool.layout({ hi: 1, lo: 2, blockSize: 64, slotPages })!;
  const client = pool.join(layout);
  const routes = new Uint32Array(2 * perPrompt);
  for (let prompt = 0; prompt < prompts; prompt++) {
    keysOf(prompt, routes);
    for (let from = 0; from < perPrompt; from += 16) {
      const rows = pool.reserve(client, Math.min(16, perPrompt - from));
      const entries = new Uint32Array(3 * rows.length);
      for (let i = 0; i < rows.length; i += 2) {
        const at = 2 * from + i;
        const parent = at === 0 ? [0, 0] : [routes[at - 2], routes[at - 1]];
        entries.set([rows[i], routes[at], routes[at + 1], ...parent, at / 2], 3 * i);
      }
      pool.commit(client, entries);
    }
    pool.takeEvents(layout);
  }
  if (pool.table.live !== prompts * perPrompt) throw new Error("the pool is not full");
  return pool;
}
