import type { HashList, KvEvent } from "@pixii/wire";

/** A byte per block of `list`: 1 where one of the `stored` events names its hash. O(blocks of both). */
export function heldOf(events: readonly KvEvent[], list: HashList): Uint8Array {
  const held = new Uint8Array(list.lo.length);
  /** Places of the blocks asked for, by the low half of their hash. */
  const places = new Map<number, number[]>();
  list.lo.forEach((lo, i) => {
    const same = places.get(lo);
    if (same === undefined) places.set(lo, [i]);
    else same.push(i);
  });
  for (const event of events) {
    if (event.op !== "stored") continue;
    for (let j = 0; j < event.lo.length; j++) {
      for (const i of places.get(event.lo[j]) ?? []) {
        if (list.hi[i] === event.hi[j]) held[i] = 1;
      }
    }
  }
  return held;
}
