/** A search for a smaller failure. */
export interface MinimiseOptions {
  /** True where these parts alone still show it. */
  readonly fails: (parts: readonly number[]) => Promise<boolean>;
  /** Most times that `fails` is asked. */
  readonly mostRuns: number;
}

/**
 * Which of `count` parts are needed for a failure that all of them together show: delta debugging (A. Zeller, R.
 * Hildebrandt, "Simplifying and isolating failure-inducing input", 2002) over their numbers. What is left fails; where
 * the runs sufficed, no single part can be left out any more. Asks O(count^2) times at worst, O(log count) at best.
 */
export async function minimise(
  count: number,
  { fails, mostRuns }: MinimiseOptions,
): Promise<readonly number[]> {
  let left: readonly number[] = Array.from({ length: count }, (_, i) => i);
  let runs = 0;
  const isEnough = async (parts: readonly number[]) => {
    runs += 1;
    return await fails(parts);
  };
  if (count === 0 || mostRuns === 0) return left;
  if (await isEnough([])) return [];
  for (let pieces = 2; left.length >= 2;) {
    const size = Math.ceil(left.length / pieces);
    let smaller: readonly number[] | undefined;
    for (let at = 0; at < left.length && smaller === undefined; at += size) {
      const rest = [...left.slice(0, at), ...left.slice(at + size)];
      if (runs >= mostRuns) return left;
      if (await isEnough(rest)) smaller = rest;
    }
    if (smaller !== undefined) {
      left = smaller;
      pieces = Math.max(2, pieces - 1);
    } else if (size === 1) return left;
    else pieces = Math.min(left.length, 2 * pieces);
  }
  return left;
}
