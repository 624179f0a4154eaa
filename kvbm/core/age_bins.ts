/** Blocks asked for that the first bin of age spans, about. */
const unit = 64;
/** Bins of age: four to an octave, up to 2.7e8 blocks asked for; what is older counts as never used again. */
export const ageBins = 88;
/** Where an octave's later bins begin, as parts of where it does. */
const [second, third, fourth] = [2 ** 0.25, 2 ** 0.5, 2 ** 0.75];

/** Where a bin begins, in blocks asked for. */
export const ageEdge = (bin: number): number => unit * (2 ** (bin / 4) - 1);

/** Bin of an age, at most `ageBins - 1`. */
export function ageBin(age: number): number {
  const x = 1 + Math.max(0, age) / unit;
  const octave = 31 - Math.clz32(x);
  const part = x / 2 ** octave;
  const quarter = part >= third ? part >= fourth ? 3 : 2 : part >= second ? 1 : 0;
  return Math.min(ageBins - 1, 4 * octave + quarter);
}
