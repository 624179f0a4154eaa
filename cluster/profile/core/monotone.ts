/** Turns of rows and columns at most, and the part of the largest number below which a turn changes nothing. */
const mostTurns = 200;
const leastChange = 1e-9;

/**
 * The nearest table (least squares) with no number below its neighbours of less work: more work takes no less time, and
 * where it seemed to, the machine drifted, up or down, so both are drawn to their mean. Raising the later one alone would
 * keep every slow moment and lose every fast one. Rows and columns in turn (Dykstra's projections; pool adjacent
 * violators in each). O(turns x cells).
 */
export function monotone(ms: readonly (readonly number[])[]): number[][] {
  const most = Math.max(...ms.flat());
  let table = ms.map((row) => [...row]);
  let [rowRest, columnRest] = [zerosOf(ms), zerosOf(ms)];
  for (let turn = 0; turn < mostTurns; turn++) {
    const before = sum(table, rowRest);
    const byRows = before.map(risingOf);
    rowRest = sum(before, byRows, -1);
    const between = sum(byRows, columnRest);
    const byColumns = turned(turned(between).map(risingOf));
    columnRest = sum(between, byColumns, -1);
    const change = Math.max(...sum(byColumns, table, -1).flat().map(Math.abs));
    table = byColumns;
    if (change <= leastChange * most) break;
  }
  return raised(table);
}

/** The nearest numbers that do not fall. */
function risingOf(values: readonly number[]): number[] {
  const pools: { sum: number; count: number }[] = [];
  for (const value of values) {
    let pool = { sum: value, count: 1 };
    for (let last = pools.at(-1); last !== undefined; last = pools.at(-1)) {
      if (last.sum * pool.count <= pool.sum * last.count) break;
      pool = { sum: last.sum + pool.sum, count: last.count + pool.count };
      pools.pop();
    }
    pools.push(pool);
  }
  return pools.flatMap(({ sum, count }) => Array.from({ length: count }, () => sum / count));
}

/** What rounding left below its neighbours is raised to them. */
function raised(ms: readonly (readonly number[])[]): number[][] {
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

function zerosOf(ms: readonly (readonly number[])[]): number[][] {
  return ms.map((row) => row.map(() => 0));
}

/** One table and another, times `part`. */
function sum(
  one: readonly (readonly number[])[],
  other: readonly (readonly number[])[],
  part = 1,
): number[][] {
  return one.map((row, i) => row.map((value, j) => value + part * other[i][j]));
}

function turned(ms: readonly (readonly number[])[]): number[][] {
  return ms[0].map((_, j) => ms.map((row) => row[j]));
}

/** Median of at least one number. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
