import type { DecisionReport, WorkerRank } from "@pixii/wire";
import { withNumber } from "./decision_change.ts";
import { redecide } from "./replay_decision.ts";

/** Numbers of a rank that are tried, and which way they must go for it to become better. */
const levers = [
  { name: "device", better: 1 },
  { name: "requests", better: -1 },
  { name: "prefillTokens", better: -1 },
  { name: "blocks", better: -1 },
  { name: "aheadMs", better: -1 },
] as const;
/** How far a load is raised in search of a change, in multiples of what all candidates have. */
const mostRaise = 4;

/**
 * The smallest change of one number of one rank by which that rank would have been chosen, or, of the chosen one, would
 * not. A smaller one may still join or leave a tie, which is drawn anew and may fall to a third of the same cost.
 */
export interface Flip {
  /** Whose number. */
  readonly worker: WorkerRank;
  readonly name: typeof levers[number]["name"];
  readonly from: number;
  readonly to: number;
  /** Who would have been chosen then. */
  readonly winner: WorkerRank;
}

/** For each number of rank `place` alone: how much better it must have been for that rank to be chosen. O(log range) choices each. */
export function flipsTo(report: DecisionReport, place: number): Flip[] {
  return search(report, place, "win");
}

/** For each number of the chosen rank alone: how much worse it must have been for another to be chosen. */
export function flipsAway(report: DecisionReport, chosen: number): Flip[] {
  return search(report, chosen, "lose");
}

/** By bisection: a better number never makes a rank cost more. */
function search(report: DecisionReport, place: number, goal: "win" | "lose"): Flip[] {
  const flips: Flip[] = [];
  for (const { name, better } of levers) {
    const way = goal === "win" ? better : -better;
    const from = numberOf(report, place, name);
    if (from === undefined) continue;
    const decideAt = (by: number) =>
      redecide(withRank(report, place, { name, to: from + way * by }));
    const isFlipped = (by: number) => (decideAt(by).place === place) === (goal === "win");
    let high = Math.floor(Math.abs(limitOf(report, place, { name, way }) - from));
    if (high < 1 || !isFlipped(high)) continue;
    let low = 0;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (isFlipped(middle)) high = middle;
      else low = middle;
    }
    const { worker } = report.ranks[place];
    flips.push({ worker, name, from, to: from + way * high, winner: decideAt(high).worker });
  }
  return flips;
}

function numberOf(report: DecisionReport, place: number, name: string): number | undefined {
  const { overlap, numbers } = report.ranks[place];
  return name === "device" ? overlap.device : numbers[name];
}

/** How far a number can go. */
function limitOf(
  report: DecisionReport,
  place: number,
  { name, way }: { readonly name: string; readonly way: number },
): number {
  if (way < 0) return 0;
  const { overlap, blockSize } = report.ranks[place];
  if (name === "device") {
    const whole = Math.floor(report.record.isl / blockSize);
    return Math.max(overlap.device, whole - overlap.host - overlap.disk);
  }
  const all = report.ranks.map((_, i) => numberOf(report, i, name) ?? 0);
  return mostRaise * (Math.max(...all) + Math.max(1_024, report.record.isl));
}

function withRank(
  report: DecisionReport,
  place: number,
  { name, to }: { readonly name: string; readonly to: number },
): DecisionReport {
  const ranks = report.ranks.with(place, withNumber(report.ranks[place], name, to));
  return { ...report, ranks };
}
