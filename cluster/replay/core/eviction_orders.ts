import { LearnedOrder } from "./learned_order.ts";
import { BeladyOrder, LruOrder } from "./pooled_cache.ts";
import type { EvictionOrder, PooledView } from "./pooled_cache.ts";

/** Evictions that a replay compares. */
export const evictionNames = ["lru", "learned", "belady"] as const;
/** Evictions that a replay compares. */
export type EvictionName = typeof evictionNames[number];

/** Makes an order by name. */
export function evictionOrder(name: EvictionName, view: PooledView): EvictionOrder {
  switch (name) {
    case "lru":
      return new LruOrder(view);
    case "learned":
      return new LearnedOrder(view);
    case "belady":
      return new BeladyOrder(view);
  }
}
