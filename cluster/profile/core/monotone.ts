/**
 * The table with no number below its neighbours of fewer tokens: more work takes no less time, and where it seemed to,
 * the machine drifted. O(cells).
 */
export function monotone(ms: readonly (readonly number[])[]): number[][] {
  const table: number[][] = [];
  ms.forEach((row, i) => {
    const risen: number[] = [];
    row.forEach((value, j) => {
      risen.push(Math.max(value, risen[j - 1] ?? 0, table[i - 1]?.[j] ?? 0));
    });
    table.push(risen);
  });
  return table;
}

/** Median of at least one number. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
