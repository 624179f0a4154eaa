import { Recency } from "./recency.ts";
import type { Slab } from "./slab.ts";
import type { SlotTable } from "./slot_table.ts";
import { WorthOrder } from "./worth_order.ts";

/** Which block goes first: `worth` = the least worth by what was learnt, `lru` = the least recently used. */
export const evictionNames = ["worth", "lru"] as const;
/** Name of an order. */
export type EvictionName = typeof evictionNames[number];

/**
 * Blocks that nobody holds, in the order in which they are to go. Keyed by slot number over the columns of a table, so
 * that any tier can use it. What is held is not listed, so it never goes.
 */
export interface EvictionOrder {
  /** Blocks listed. */
  readonly count: number;
  /** A prompt asked for its blocks: rows of route lo, hi, and rows of slot (0 = not there), page. O(rows). */
  asked(layout: number, routes: Uint32Array, rows: Uint32Array): void;
  /**
   * A block has come; its columns are set. `parent`: slot of the block before, 0 where that is not there. `isEnd`: it is a
   * prompt's end, which no prompt goes on from.
   */
  came(slot: number, parent: number, isEnd: boolean): void;
  /** A block has left, or is not to be found any more. */
  left(slot: number): void;
  /** Lists a slot as just used. */
  add(slot: number): void;
  /** Takes a listed slot out. */
  remove(slot: number): void;
  /** The slot of this size that goes first; 0 where none is listed. */
  first(size: number): number;
  /**
   * A segment of another size whose blocks could all go and are less wanted than this size's first; where this size has
   * none that could go, the one used longest ago. O(segments).
   */
  spareSegment(size: number): number | undefined;
  /** The listed slots of a size. */
  listed(size: number): Iterable<number>;
  /** The listed slots of all sizes, those first that will probably go first. */
  coldest(): Iterable<number>;
  /** Throws where lists and counts differ; `isListed` says which slots belong here. O(everything). */
  checkIntegrity(isListed: (slot: number) => boolean): void;
}

/** Makes an order by name. `slots`: about how many blocks it will order. */
export function evictionOrder(
  name: EvictionName,
  parts: { readonly table: SlotTable; readonly slab: Slab; readonly slots: number },
): EvictionOrder {
  return name === "lru" ? new Recency(parts.table, parts.slab) : new WorthOrder(parts);
}
