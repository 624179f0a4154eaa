import type { KvEvent } from "@pixii/wire";
import type { BlockPool } from "./block_pool.ts";
import { PoolEvents } from "./pool_events.ts";
import { slotStates } from "./slot_table.ts";

/** All blocks of a layout but prompts' ends as events, parents before children, each chain in one run. O(slots). */
export function snapshotOf(pool: BlockPool, layout: number): KvEvent[] {
  const { table } = pool;
  const children = new Map<number, number[]>();
  for (let slot = 1; slot <= table.highest; slot++) {
    if (table.state[slot] !== slotStates.committed || table.layout[slot] !== layout) continue;
    if (pool.isEnd(slot)) continue;
    const parent = pool.parentOf(slot);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [slot]);
    else siblings.push(slot);
  }
  const events = new PoolEvents();
  const left = [...children.get(0) ?? []].reverse().map((slot) => ({ slot, parent: 0 }));
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { slot, parent } = next;
    events.stored({ number: slot, parent, hi: table.hi[slot], lo: table.lo[slot] });
    for (const child of children.get(slot) ?? []) left.push({ slot: child, parent: slot });
  }
  return events.take();
}
