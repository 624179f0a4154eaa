import { LoadCurve } from "./request_line.ts";
import type { LoadPoint } from "./request_line.ts";

const dayMs = 86_400_000;
const everyMs = 600_000;

/** A made load: a day with a high noon, prompts that grow in the morning and answers in the evening, and two sudden peaks. */
export function madeCurve(days: number): LoadCurve {
  const points: LoadPoint[] = [];
  for (let atMs = 0; atMs <= days * dayMs; atMs += everyMs) {
    const turn = 2 * Math.PI * atMs / dayMs;
    const hour = (atMs % dayMs) / 3_600_000;
    const isPeak = (hour >= 10 && hour < 10.5) || (hour >= 21 && hour < 21.3);
    points.push({
      atMs,
      rate: (1 - 0.6 * Math.cos(turn)) * (isPeak ? 1.8 : 1),
      isl: 900 + 400 * Math.sin(turn),
      osl: 200 - 90 * Math.sin(turn),
    });
  }
  return new LoadCurve(points);
}
