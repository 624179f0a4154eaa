/** Blocks asked for that the first bin of age spans, about. */
const unit = 64;
/** Bins of age: two to an octave, up to 2.7e8 blocks asked for; what is older counts as never used again. */
export const ageBins = 44;

/** Where a bin begins, in blocks asked for. */
export const ageEdge = (bin: number): number => unit * (2 ** (bin / 2) - 1);

/** Bin of an age, at most `ageBins - 1`. */
export function ageBin(age: number): number {
  const x = 1 + Math.max(0, age) / unit;
  const octave = 31 - Math.clz32(x);
  const low = 2 ** octave;
  const half = x * x >= 2 * low * low ? 1 : 0;
  return Math.min(ageBins - 1, 2 * octave + half);
}
