import type { ReplayReport } from "./core/replay_plan.ts";
import { barPlot, linePlot } from "./svg_plot.ts";

/** The report's plots, by file name. */
export function reportPlots(report: ReplayReport): ReadonlyMap<string, string> {
  const { rows, pooledHitRatio, plan } = report;
  const name = ({ policy, order, hold }: typeof rows[number]) =>
    [
      policy,
      ...(plan.orders.length === 1 ? [] : [order]),
      ...(plan.holds.length === 1 ? [] : [hold]),
    ]
      .join(", ");
  const plots = new Map<string, string>();
  plots.set(
    "hits.svg",
    barPlot({
      title: "Prompt tokens found in a cache",
      unit: "share",
      bars: rows.map((row) => ({ name: name(row), value: row.hitRatio })),
      line: { name: "one pooled LRU cache", value: pooledHitRatio },
    }),
  );
  const percentiles = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];
  plots.set(
    "ttft.svg",
    linePlot({
      title: "Time to the first token by percentile",
      ...{ xUnit: "percentile", yUnit: "seconds" },
      series: rows.map((row) => {
        const sorted = row.ttftMs.filter((ms) => !Number.isNaN(ms)).sort();
        return {
          name: name(row),
          points: percentiles.map((q) => ({
            x: 100 * q,
            y: (sorted[Math.floor(q * sorted.length)] ?? 0) / 1000,
          })),
        };
      }),
    }),
  );
  if (rows.some((row) => row.itl.count > 0)) {
    plots.set(
      "itl.svg",
      barPlot({
        ...{ title: "Time between tokens, 99th percentile", unit: "ms" },
        bars: rows.map((row) => ({ name: name(row), value: row.itl.p99Ms })),
      }),
    );
  }
  plots.set(
    "balance.svg",
    barPlot({
      title: "Computing time of the busiest worker against the mean",
      unit: "ratio",
      bars: rows.map((row) => ({ name: name(row), value: row.workSkew })),
      line: { name: "even", value: 1 },
    }),
  );
  return plots;
}
