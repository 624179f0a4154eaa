/** A hash of 32 bits of the bytes from `from` to `to`: FNV-1a with a final mix. For tables, not for secrets. */
export function byteHash(bytes: Uint8Array, from: number, to: number): number {
  let h = 0x811c9dc5;
  for (let i = from; i < to; i++) h = Math.imul(h ^ bytes[i], 0x01000193);
  h ^= h >>> 15;
  h = Math.imul(h, 0x85ebca6b);
  return (h ^ h >>> 13) >>> 0;
}

/** A power of two at least twice `count`: slots of a table with open addressing. */
export function slotsFor(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(8, 2 * count)));
}
