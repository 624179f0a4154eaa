import type { ReplayReport, ReplayRow } from "./core/replay_plan.ts";

/** The report for people: one table of policies, one of evictions. */
export function reportTable(report: ReplayReport): string {
  const { plan, rows, evictions } = report;
  const { trace, workers, capacityBlocks, rate } = plan;
  const lines = [
    `${trace.name}: ${trace.requests.length} requests, ${workers} workers x ${capacityBlocks} blocks of ${trace.blockSize} tokens, rate ${rate}`,
    `each worker computes ${
      report.workerRate.toFixed(0)
    } prompt tokens/s; one pooled LRU cache would find ${share(report.pooledHitRatio)}`,
    ...idealOf(report),
    "",
    ...columns([heads(report), ...rows.map((row) => cells(row, report))]),
  ];
  if (evictions.length > 0) {
    const best = evictions.find(({ name }) => name === "belady")?.hitRatio;
    lines.push("", `one pooled cache of ${workers * capacityBlocks} blocks:`);
    lines.push(...columns([
      ["eviction", "hits", "of Belady"],
      ...evictions.map(({ name, hitRatio }) => [
        ...[name, share(hitRatio)],
        best === undefined || best === 0 ? "" : (hitRatio / best).toFixed(3),
      ]),
    ]));
  }
  return lines.join("\n");
}

function idealOf({ idealTtft, rows }: ReplayReport): string[] {
  if (idealTtft === undefined) return [];
  const robin = roundRobinOf(rows);
  const against = robin === undefined
    ? ""
    : `, ${(robin.ttft.meanMs / idealTtft.meanMs).toFixed(2)} of round-robin's`;
  return [
    `one line for all workers, each with that cache: TTFT mean ${
      (idealTtft.meanMs / 1000).toFixed(3)
    } s${against}`,
  ];
}

function heads({ plan, rows }: ReplayReport): string[] {
  const itl = rows.some((row) => row.itl.count > 0) ? ["ITL p50 ms", "p99"] : [];
  const slo = plan.sloMs === undefined ? [] : [`rate at p99 <= ${plan.sloMs / 1000} s`];
  return [
    ...[
      "policy",
      "order",
      "hold",
      "hits",
      "of pooled",
      "TTFT mean s",
      "p50",
      "p90",
      "p99",
      "vs rr",
    ],
    ...["vs least", "busy", "skew req", "skew work"],
    ...[...itl, ...slo, "refused"],
  ];
}

function cells(row: ReplayRow, { plan, rows }: ReplayReport): string[] {
  const itl = rows.some((one) => one.itl.count > 0)
    ? [row.itl.p50Ms.toFixed(1), row.itl.p99Ms.toFixed(1)]
    : [];
  const slo = plan.sloMs === undefined ? [] : [row.rateAtSlo?.toFixed(3) ?? ""];
  const { meanMs, p50Ms, p90Ms, p99Ms } = row.ttft;
  const against = (base: ReplayRow | undefined) =>
    base === undefined ? "" : (base.ttft.meanMs / meanMs).toFixed(2);
  return [
    ...[row.policy, row.order, row.hold, share(row.hitRatio), row.ofPooled.toFixed(3)],
    ...[meanMs, p50Ms, p90Ms, p99Ms].map((ms) => (ms / 1000).toFixed(3)),
    ...[against(roundRobinOf(rows)), against(leastOf(rows)), row.busyShare.toFixed(2)],
    ...[row.requestSkew.toFixed(2), row.workSkew.toFixed(2), ...itl, ...slo, `${row.refused}`],
  ];
}

/** True where requests are placed as they come and served so. */
function isPlain({ order, hold }: ReplayRow): boolean {
  return order === "fcfs" && hold === "off";
}

/** The row of round-robin in first come, first served. */
export function roundRobinOf(rows: readonly ReplayRow[]): ReplayRow | undefined {
  return rows.find((row) => row.policy === "round-robin" && isPlain(row));
}

/** The better of the rows that look at load only. */
export function leastOf(rows: readonly ReplayRow[]): ReplayRow | undefined {
  return rows.filter((row) =>
    isPlain(row) && (row.policy === "least-loaded" || row.policy === "least-queue")
  ).sort((a, b) => a.ttft.meanMs - b.ttft.meanMs)[0];
}

function share(value: number): string {
  return value.toFixed(4);
}

/** Rows as columns: the first left, the others right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ")
      .trimEnd()
  );
}
