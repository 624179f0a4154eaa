import type { Fault, FaultKind } from "./fault.ts";

/** What a plan of faults is drawn from. */
export interface FaultPlan {
  readonly kinds: readonly FaultKind[];
  /** Programs that can be hit. */
  readonly targets: readonly string[];
  /** No fault begins before or after. */
  readonly fromMs: number;
  readonly untilMs: number;
  /** Mean time between two faults. */
  readonly everyMs: number;
  /** Uniform in [0, 1). */
  readonly draw: () => number;
}

/** Shortest and longest times of each kind, and of its amount: drawn evenly on a logarithmic scale. */
const shapes: Readonly<Record<FaultKind, { readonly forMs: readonly [number, number] }>> = {
  kill: { forMs: [100, 15_000] },
  midway: { forMs: [100, 15_000] },
  restart: { forMs: [10, 5_000] },
  slow: { forMs: [20, 6_000] },
  partition: { forMs: [50, 8_000] },
  lag: { forMs: [500, 10_000] },
  drop: { forMs: [500, 10_000] },
  duplicate: { forMs: [500, 10_000] },
};

/** Draws a schedule: gaps are exponential, kinds and targets even. The same draws give the same faults. */
export function planFaults(plan: FaultPlan): readonly Fault[] {
  const { kinds, targets, draw } = plan;
  const faults: Fault[] = [];
  if (kinds.length === 0 || targets.length === 0) return faults;
  let atMs = plan.fromMs;
  while (true) {
    atMs += -Math.log(1 - draw()) * plan.everyMs;
    if (atMs >= plan.untilMs) return faults;
    const kind = kinds[Math.floor(draw() * kinds.length)];
    const target = targets[Math.floor(draw() * targets.length)];
    const [least, most] = shapes[kind].forMs;
    const forMs = Math.round(least * (most / least) ** draw());
    faults.push({ atMs: Math.round(atMs), kind, target, forMs, amount: amountOf(kind, draw()) });
  }
}

function amountOf(kind: FaultKind, chance: number): number {
  if (kind === "lag") return Math.round(2 * 400 ** chance);
  if (kind === "drop" || kind === "duplicate") return Number((0.01 * 50 ** chance).toFixed(3));
  const canBeSilent = kind === "kill" || kind === "midway" || kind === "partition";
  return canBeSilent && chance < 0.4 ? 1 : 0;
}
