import { BeladyOrder, LruOrder } from "./pooled_cache.ts";
import type { EvictionOrder, PooledView } from "./pooled_cache.ts";

/** Evictions that a replay compares. */
export const evictionNames = ["lru", "belady"] as const;
/** Evictions that a replay compares. */
export type EvictionName = typeof evictionNames[number];

/** Makes an order by name. */
export function evictionOrder(name: EvictionName, view: PooledView): EvictionOrder {
  switch (name) {
    case "lru":
      return new LruOrder(view);
    case "belady":
      return new BeladyOrder(view);
  }
}
