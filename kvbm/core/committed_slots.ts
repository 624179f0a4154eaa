import type { BlockPool } from "./block_pool.ts";
import { slotStates } from "./slot_table.ts";

/** Slots of all committed blocks of a pool, of one layout or of all. O(slots). */
export function committedSlots({ table }: BlockPool, layout?: number): number[] {
  const slots: number[] = [];
  for (let slot = 1; slot <= table.highest; slot++) {
    if (table.state[slot] !== slotStates.committed) continue;
    if (layout === undefined || table.layout[slot] === layout) slots.push(slot);
  }
  return slots;
}
