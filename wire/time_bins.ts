/** Bins of a doubling: neighbours differ by 19 %. */
const binsPerDoubling = 4;
/** Bins in all; the last also holds everything longer (from 55 s on). */
export const timeBins = 64;

/** The bin of a duration: `4·log2(ms)`, from 0 (up to 1.19 ms) to 63. O(1). */
export function timeBinOf(ms: number): number {
  if (!(ms > 1)) return 0;
  return Math.min(timeBins - 1, Math.floor(binsPerDoubling * Math.log2(ms)));
}

/** The middle of a bin in ms (geometric). */
export function timeOfBin(bin: number): number {
  return 2 ** ((bin + 0.5) / binsPerDoubling);
}

/** The duration in ms below which a share `q` of (bin, count) pairs lies, to within 10 %; undefined without any. O(n log n). */
export function binQuantile(
  bins: readonly (readonly [bin: number, count: number])[],
  q: number,
): number | undefined {
  const sorted = [...bins].sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return undefined;
  let seen = 0;
  for (const [bin, count] of sorted) {
    seen += count;
    if (seen >= q * total) return timeOfBin(bin);
  }
  return timeOfBin(sorted[sorted.length - 1][0]);
}
