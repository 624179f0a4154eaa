import type { ReplayReport, ReplayRow } from "./core/replay_plan.ts";
import { leastOf, roundRobinOf } from "./report_table.ts";

/** The report as JSON lines: rows first, then the figures that its rows allow, `replay.reqs` last where speed was measured. */
export function reportJson(report: ReplayReport, requestsPerSecond: number | undefined): string[] {
  const lines = report.rows.map((row) => JSON.stringify({ row: rowOf(row) }));
  if (report.idealTtft !== undefined) {
    const { meanMs, p50Ms, p90Ms, p99Ms } = report.idealTtft;
    const [mean, p50, p90, p99] = [meanMs, p50Ms, p90Ms, p99Ms].map(round);
    lines.push(JSON.stringify({ ideal: { meanMs: mean, p50Ms: p50, p90Ms: p90, p99Ms: p99 } }));
  }
  for (const one of report.evictions) lines.push(JSON.stringify({ eviction: one }));
  const figure = (name: string, value: number, more: Readonly<Record<string, unknown>>) => {
    lines.push(JSON.stringify({ figure: name, value: round(value), better: "higher", ...more }));
  };
  const { rows, evictions, pooledHitRatio } = report;
  const ours = rows.find((row) => row.policy === "ttft") ?? rows.find((row) => row.policy === "kv");
  const [robin, least] = [roundRobinOf(rows), leastOf(rows)];
  if (ours !== undefined) {
    const pooled = { anchor: "one pooled LRU cache", anchorValue: round(pooledHitRatio) };
    figure("replay.hit_vs_pooled", ours.ofPooled, { unit: "ratio", ...pooled });
    const versus = (name: string, base: ReplayRow | undefined) => {
      if (base === undefined) return;
      const value = base.ttft.meanMs / ours.ttft.meanMs;
      const anchorValue = round(base.ttft.meanMs / 1000);
      figure(name, value, { unit: "ratio", anchor: `${base.policy}, mean s`, anchorValue });
    };
    versus("replay.ttft_vs_rr", robin);
    versus("replay.ttft_vs_least", least);
    if (ours.rateAtSlo !== undefined && robin?.rateAtSlo !== undefined) {
      const value = ours.rateAtSlo / robin.rateAtSlo;
      const anchorValue = round(robin.rateAtSlo);
      figure("replay.rate_vs_rr", value, { unit: "ratio", anchor: "round-robin", anchorValue });
    }
  }
  const best = evictions.find(({ name }) => name === "belady");
  const other = evictions.filter(({ name }) => name !== "belady" && name !== "lru")
    .sort((a, b) => b.hitRatio - a.hitRatio)[0];
  if (best !== undefined && other !== undefined && best.hitRatio > 0) {
    const anchorValue = round(best.hitRatio);
    const value = other.hitRatio / best.hitRatio;
    const about = { unit: "ratio", anchor: "Belady", anchorValue, eviction: other.name };
    figure("replay.evict_vs_belady", value, about);
  }
  if (requestsPerSecond !== undefined) {
    figure("replay.reqs", requestsPerSecond, { unit: "1/s" });
  }
  return lines;
}

function rowOf(row: ReplayRow): Record<string, unknown> {
  const { ttftMs: _, ttft, itl, ...rest } = row;
  const all = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [
      name,
      typeof value === "number" ? round(value) : value,
    ]),
  );
  const durations = (of: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(of).map(([name, value]) => [name, round(value)]));
  return {
    ...all,
    ttft: durations({ ...ttft }),
    ...(itl.count > 0 ? { itl: durations({ ...itl }) } : {}),
  };
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}
