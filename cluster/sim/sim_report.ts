import type { SimPlan, SimResult } from "./sim_run.ts";

/** What is said of a run: the same of the same run, but for the speed. */
export interface SimReport {
  readonly text: readonly string[];
  json(wallMs: number): readonly string[];
  speed(wallMs: number): string;
}

/** The p-quantile (0..1) by nearest rank; undefined of nothing. */
export function quantileOf(values: readonly number[], p: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))];
}

/** Puts a run into words. */
export function simReport(plan: SimPlan, result: SimResult): SimReport {
  const { shape: { seed, minutes }, trace, faults } = plan;
  const { stories, refused, messages, steps, flips, tierHits, virtualMs, digest, violation } =
    result;
  const ends: Record<string, number> = {};
  for (const { end } of stories) ends[end] = (ends[end] ?? 0) + 1;
  const migrated = stories.filter((one) => one.attempts > 1).length;
  const whole = stories.filter((one) => one.end === "length" || one.end === "stop");
  const ttft = whole.flatMap((one) => one.ttftMs ?? []);
  const itl = whole.flatMap((one) => one.itlMs ?? []);
  const times = {
    ...{ ttftP50Ms: quantileOf(ttft, 0.5), ttftP95Ms: quantileOf(ttft, 0.95) },
    ...{ itlP50Ms: quantileOf(itl, 0.5), itlP95Ms: quantileOf(itl, 0.95) },
  };
  const endText = Object.entries(ends).sort(([a], [b]) => a < b ? -1 : 1)
    .map(([end, count]) => `${end} ${count}`).join(", ");
  const ms = (value: number | undefined) => value === undefined ? "-" : value.toFixed(2);
  const broken = violation === undefined
    ? undefined
    : `${violation.message}, at ${(violation.atMs / 1000).toFixed(3)} s`;
  return {
    text: [
      `seed ${seed}, trace ${trace.name}, ${minutes} virtual minutes, ${faults.length} faults`,
      `${stories.length} requests: ${endText}; ${migrated} of them with more than one attempt; ${refused} found no door`,
      `TTFT p50 ${ms(times.ttftP50Ms)} ms, p95 ${ms(times.ttftP95Ms)} ms; ` +
      `ITL p50 ${ms(times.itlP50Ms)} ms, p95 ${ms(times.itlP95Ms)} ms`,
      `${messages} messages, ${steps} steps, ${flips} changes of role, log digest ${digest}`,
      broken === undefined ? "every promise was kept" : `BROKEN: ${broken}`,
    ],
    json: (wallMs) =>
      [
        {
          ...{ seed, trace: trace.name, minutes, faults: faults.length, refused, migrated },
          ...{
            requests: stories.length,
            ends,
            messages,
            steps,
            flips,
            tierHits,
            virtualMs,
            digest,
            ...times,
          },
          broken: broken ?? null,
        },
        {
          ...{ figure: "sim.reqs", unit: "1/s", better: "higher" },
          value: Number((stories.length / Math.max(0.001, wallMs / 1000)).toPrecision(4)),
        },
      ].map((line) => JSON.stringify(line)),
    speed: (wallMs) => {
      const seconds = Math.max(0.001, wallMs / 1000);
      const [requests, sent] = [stories.length / seconds, messages / seconds];
      return `${seconds.toFixed(2)} s: ${requests.toFixed(0)} requests, ${
        sent.toFixed(0)
      } messages ` +
        `and ${(steps / seconds).toFixed(0)} steps a second, ${
          (virtualMs / wallMs).toFixed(0)
        } times as fast as life`;
    },
  };
}
