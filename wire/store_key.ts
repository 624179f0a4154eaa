import { hexOfU64 } from "./ids.ts";
import { xxh64 } from "./xxh64.ts";
import type { Hash64 } from "./xxh64.ts";

/** Names a stored block: its RouteHash and the layout of its bytes. Two blocks of one key are interchangeable. */
export interface StoreKey {
  readonly route: Readonly<Hash64>;
  readonly layout: Readonly<Hash64>;
}

/**
 * Hash of a card's layout fingerprint (model digest, KV type, block size, TP rank and size, state format and library
 * version): `xxh64("pixii-layout-1|" + fingerprint, 0)`.
 */
export function layoutHash(fingerprint: string): Hash64 {
  return xxh64(new TextEncoder().encode(`pixii-layout-1|${fingerprint}`));
}

/** A StoreKey as 32 hex digits: layout, then route. */
export function storeKeyText({ route, layout }: StoreKey): string {
  return hexOfU64(layout.hi, layout.lo) + hexOfU64(route.hi, route.lo);
}
