/**
 * Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter-based
 * generator, so the draw of choice j at output index i needs no state and survives migration.
 */
export function philox4x32(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const lo0 = Math.imul(0xd2511f53, c0) >>> 0;
    const hi0 = mulHigh(0xd2511f53, c0);
    const lo1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    const hi1 = mulHigh(0xcd9e8d57, c2);
    c0 = (hi1 ^ c1 ^ k0) >>> 0;
    c1 = lo1;
    c2 = (hi0 ^ c3 ^ k1) >>> 0;
    c3 = lo0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** High 32 bits of the product of two u32. */
function mulHigh(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const low = Math.imul(a0, b0) >>> 0;
  const mid1 = (Math.imul(a1, b0) + (low >>> 16)) >>> 0;
  const mid2 = (Math.imul(a0, b1) + (mid1 & 0xffff)) >>> 0;
  return (Math.imul(a1, b1) + (mid1 >>> 16) + (mid2 >>> 16)) >>> 0;
}

/** Uniform in [0, 1) with 53 bits: the draw of (seed, choice j, output index i). */
export function draw(seedHi: number, seedLo: number, choice: number, index: number): number {
  const [a, b] = philox4x32([index >>> 0, choice >>> 0, 0, 0], [seedLo >>> 0, seedHi >>> 0]);
  return ((a >>> 5) * 67108864 + (b >>> 6)) / 9007199254740992;
}
