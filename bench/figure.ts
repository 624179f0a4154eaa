/** One measured figure, as `bench:* --json` prints it. */
export interface Figure {
  /** Fixed name, e.g. `engine.c1.tokens`. */
  readonly figure: string;
  /** Median of the runs. */
  readonly value: number;
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** What it is compared with, its value and value / anchorValue, taken in the same interleaved run. */
  readonly anchor?: string;
  readonly anchorValue?: number;
  readonly ratio?: number;
  readonly runs?: readonly number[];
}

/** Median of at least one number. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The p-quantile (0..1) by nearest rank. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))];
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

/** Prints a figure: one JSON line with `--json`, else a line for people. */
export function printFigure(figure: Figure, json: boolean): void {
  const rounded = {
    ...figure,
    value: round(figure.value),
    ...(figure.anchorValue === undefined ? {} : { anchorValue: round(figure.anchorValue) }),
    ...(figure.ratio === undefined ? {} : { ratio: round(figure.ratio) }),
    ...(figure.runs === undefined ? {} : { runs: figure.runs.map(round) }),
  };
  if (json) {
    console.log(JSON.stringify(rounded));
    return;
  }
  const beside = figure.anchor === undefined
    ? ""
    : `   ${figure.anchor} ${rounded.anchorValue ?? "-"}, ratio ${rounded.ratio ?? "-"}`;
  const runs = rounded.runs === undefined ? "" : `   runs ${rounded.runs.join(" ")}`;
  console.log(`${figure.figure.padEnd(24)} ${rounded.value} ${figure.unit}${beside}${runs}`);
}

/** One line about the machine, on stderr: figures mean nothing without it. */
export async function printMachine(): Promise<void> {
  let cpu = "unknown CPU";
  try {
    const info = await Deno.readTextFile("/proc/cpuinfo");
    cpu = /model name\s*:\s*(.*)/.exec(info)?.[1] ?? cpu;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const memory = Math.round(Deno.systemMemoryInfo().total / 2 ** 30);
  const load = Deno.loadavg().map((value) => value.toFixed(2)).join(" ");
  console.error(
    `machine: ${navigator.hardwareConcurrency} x ${cpu}, ${memory} GiB, ${Deno.build.os} ${Deno.osRelease()}, ` +
      `load ${load}, deno ${Deno.version.deno}`,
  );
}
