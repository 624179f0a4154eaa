import { expOfMinus } from "./fast_exp.ts";

/** Id of the largest finite logit, the lowest on ties; undefined where none is finite or one is infinite. */
export function argmax(logits: Float32Array): number | undefined {
  const length = logits.length;
  let best = -1;
  let value = -Infinity;
  for (let from = 0; from < length; from += 8) {
    // One chain of comparisons per run of eight; a logit behind the end and NaN compare false.
    const some = logits[from] > value || logits[from + 1] > value || logits[from + 2] > value ||
      logits[from + 3] > value || logits[from + 4] > value || logits[from + 5] > value ||
      logits[from + 6] > value || logits[from + 7] > value;
    if (!some) continue;
    const end = Math.min(from + 8, length);
    for (let id = from; id < end; id++) {
      if (logits[id] > value) {
        value = logits[id];
        best = id;
      }
    }
  }
  return best < 0 || value === Infinity ? undefined : best;
}

/** Sum of e^(logit - max) over all tokens; `max` is the largest logit. */
export function massOf(logits: Float32Array, max: number): number {
  let sum = 0;
  for (let id = 0; id < logits.length; id++) sum += expOfMinus(max - logits[id]);
  return sum;
}

/** Tokens whose masses are summed up together on the first pass of `drawFromAll`. */
const runTokens = 256;

/**
 * The token at `u` in [0, 1) of the whole distribution at this temperature, tokens laid out by ascending id. `max` is the
 * largest logit. One pass over the vocabulary, and a second one over the run of tokens where the draw falls.
 */
export function drawFromAll(
  logits: Float32Array,
  at: { readonly max: number; readonly temperature: number; readonly u: number },
): number {
  const sharpness = 1 / at.temperature;
  const sums: number[] = [];
  let sum = 0;
  for (let from = 0; from < logits.length; from += runTokens) {
    const end = Math.min(from + runTokens, logits.length);
    for (let id = from; id < end; id++) sum += expOfMinus((at.max - logits[id]) * sharpness);
    sums.push(sum);
  }
  const wanted = at.u * sum;
  const run = sums.findIndex((reached) => wanted < reached);
  let reached = run > 0 ? sums[run - 1] : 0;
  let last = 0;
  for (let id = Math.max(0, run) * runTokens; id < logits.length; id++) {
    const mass = expOfMinus((at.max - logits[id]) * sharpness);
    if (mass === 0) continue;
    reached += mass;
    last = id;
    if (wanted < reached) break;
  }
  return last;
}

/** ln of `massOf` on top of `max`: subtract it from a logit for its log-probability. */
export function logSumOf(logits: Float32Array, max: number): number {
  return max + Math.log(massOf(logits, max));
}

/** The `n` largest logits with their ids, best first, the lower id of equal ones. O(vocabulary + n x changes). */
export function largest(logits: Float32Array, n: number): readonly (readonly [number, number])[] {
  const top: [number, number][] = [];
  if (n === 0) return top;
  let least = -Infinity;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id];
    if (!(logit > least)) continue;
    let place = top.length;
    while (place > 0 && top[place - 1][1] < logit) place -= 1;
    top.splice(place, 0, [id, logit]);
    if (top.length > n) top.pop();
    if (top.length === n) least = top[n - 1][1];
  }
  return top;
}
