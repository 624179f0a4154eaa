import type { BlockPool } from "./block_pool.ts";
import { slotStates } from "./slot_table.ts";

const { free, reserved, committed, doomed } = slotStates;

/** Throws where a pool's books do not add up. O(everything). */
export function checkPool(pool: BlockPool): void {
  const { table, slab, keys, order, clients } = pool;
  const pins = new Map<number, number>();
  const owners = new Map<number, number>();
  for (const { number, leases, reserved: slots, layout } of clients.values()) {
    for (const held of leases.values()) {
      for (const slot of held) pins.set(slot, (pins.get(slot) ?? 0) + 1);
    }
    for (const slot of slots) owners.set(slot, number);
    if (slots.size > pool.mostReserved(layout)) throw new Error(`client ${number} has too many`);
  }
  const places: { page: number; size: number }[] = [];
  const ends = new Map<number, number>();
  let live = 0;
  let registered = 0;
  for (let slot = 1; slot <= table.highest; slot++) {
    const state = table.state[slot];
    if (state === free) continue;
    live += 1;
    places.push({ page: table.page[slot], size: table.size[slot] });
    const problem = problemOf(pool, slot, { pins: pins.get(slot) ?? 0, owner: owners.get(slot) });
    if (problem !== undefined) throw new Error(`slot ${slot} ${problem}`);
    if (state !== committed) continue;
    registered += 1;
    if (pool.isEnd(slot)) ends.set(slot, pool.layouts[table.layout[slot]].slotPages);
  }
  if (live !== table.live) throw new Error(`${live} slots live, ${table.live} counted`);
  if (registered !== keys.count) throw new Error(`${registered} blocks, ${keys.count} indexed`);
  slab.checkIntegrity(places);
  pool.ends.checkIntegrity(ends);
  const isListed = (slot: number) => table.state[slot] === committed && table.pins[slot] === 0;
  order.checkIntegrity(isListed);
  let listed = 0;
  for (let slot = 1; slot <= table.highest; slot++) if (isListed(slot)) listed += 1;
  if (listed !== order.count) throw new Error(`${listed} unused, ${order.count} listed`);
}

function problemOf(
  { table, keys, layouts }: BlockPool,
  slot: number,
  seen: { readonly pins: number; readonly owner: number | undefined },
): string | undefined {
  const state = table.state[slot];
  if (layouts[table.layout[slot]].size !== table.size[slot]) return "is of another size";
  if (state === reserved) {
    if (seen.owner !== table.owner[slot] || seen.pins > 0) return "is reserved by nobody";
    return undefined;
  }
  if (seen.owner !== undefined) return "is reserved and committed";
  if (seen.pins !== table.pins[slot]) {
    return `has ${table.pins[slot]} pins, ${seen.pins} are held`;
  }
  const found = keys.find(table.layout[slot], table.hi[slot], table.lo[slot]);
  if (state === committed && found !== slot) return "is not found by its key";
  if (state === doomed && (found === slot || seen.pins === 0)) return "is doomed and still there";
  return undefined;
}
