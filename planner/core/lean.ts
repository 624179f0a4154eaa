import type { WorkerLoad } from "./load_window.ts";

/** Which way the planner would move if it acted. */
export type Direction = "prefill" | "decode" | "grow" | "shrink" | "steady";

/** How hard each phase is pressed, from what fresh workers report. */
export interface Pressure {
  /** Seconds of prompt tokens that wait, at the measured prefill rates; 0 where none waits or no rate is known. */
  readonly prefillBacklogSeconds: number;
  /** Share of the places of running batches that are taken, 0..1. */
  readonly batchShare: number;
  /** Share of the KV blocks that live sequences hold, 0..1. */
  readonly blockShare: number;
  /** Requests that wait, per worker rank. */
  readonly waitingPerRank: number;
}

/** A direction with the numbers and the sentence behind it. */
export interface Lean {
  readonly direction: Direction;
  readonly reason: string;
  readonly pressure: Pressure;
}

/** Bounds between calm and pressed. */
export const leanBounds = {
  /** A prompt backlog above this presses prefill. */
  backlogSeconds: 1,
  /** Batches or blocks fuller than this press decode. */
  fullShare: 0.85,
  /** Below this share in both, without a backlog, there is more than is needed. */
  idleShare: 0.2,
} as const;

/** Pressure over the ranks that are fresh and take work. */
export function pressureOf(workers: readonly WorkerLoad[]): Pressure {
  const open = workers.filter((one) => !one.stale && !one.report.draining);
  const sum = (of: (report: WorkerLoad["report"]) => number) =>
    open.reduce((total, one) => total + of(one.report), 0);
  const share = (part: number, whole: number) => whole === 0 ? 0 : Math.min(1, part / whole);
  const rate = sum((report) => report.prefillRate);
  return {
    prefillBacklogSeconds: rate === 0 ? 0 : sum((report) => report.prefillTokens) / rate,
    batchShare: share(sum((report) => report.running), sum((report) => report.maxSeqs)),
    blockShare: share(sum((report) => report.activeBlocks), sum((report) => report.totalBlocks)),
    waitingPerRank: open.length === 0 ? 0 : sum((report) => report.waiting) / open.length,
  };
}

/** The direction that pressure points to. */
export function leanOf(pressure: Pressure): Lean {
  const { prefillBacklogSeconds: backlog, batchShare, blockShare } = pressure;
  const { backlogSeconds, fullShare, idleShare } = leanBounds;
  const decodeShare = Math.max(batchShare, blockShare);
  const behind = `${backlog.toFixed(1)} s of prompt tokens wait`;
  const full = `${Math.round(100 * decodeShare)} % of ${
    batchShare >= blockShare ? "batch places are" : "KV blocks are"
  } taken`;
  const lean = (direction: Direction, reason: string) => ({ direction, reason, pressure });
  if (backlog > backlogSeconds && decodeShare > fullShare) {
    return lean("grow", `${behind} and ${full}: both phases are short of workers`);
  }
  if (backlog > backlogSeconds) return lean("prefill", `${behind}, ${full}`);
  if (decodeShare > fullShare) return lean("decode", `${full}, ${behind}`);
  if (decodeShare < idleShare && pressure.waitingPerRank === 0 && backlog === 0) {
    return lean("shrink", `${full} and nothing waits: fewer workers would do`);
  }
  return lean("steady", `${full}, ${behind}`);
}
