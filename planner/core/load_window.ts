import { limits, workerRankText } from "@pixii/wire";
import type { LoadReport } from "@pixii/wire";

/** A report is stale after this many periods without a newer one. */
const stalePeriods = 3;
/** Most worker ranks kept; the one that is silent longest makes room. */
const maxRanks = 65_536;

/** One worker rank as the window sees it. */
export interface WorkerLoad {
  readonly report: LoadReport;
  /** Milliseconds since its latest report. */
  readonly ageMs: number;
  /** Older than 3 periods: it counts for nothing. */
  readonly stale: boolean;
}

/** Sums over fresh worker ranks. */
export interface LoadSums {
  readonly ranks: number;
  readonly running: number;
  readonly waiting: number;
  readonly maxSeqs: number;
  readonly prefillTokens: number;
  readonly activeBlocks: number;
  readonly totalBlocks: number;
}

interface Kept {
  report: LoadReport;
  seenMs: number;
}

/** The latest load report of each worker rank. Pure: time comes with each call and never runs backwards. */
export class LoadWindow {
  /** In the order of their latest report, oldest first. */
  readonly #kept = new Map<string, Kept>();

  /** Takes a report seen at `nowMs`; it replaces the rank's last one. O(1). */
  put(report: LoadReport, nowMs: number): void {
    const key = workerRankText(report);
    this.#kept.delete(key);
    if (this.#kept.size === maxRanks) this.#kept.delete(this.#kept.keys().next().value!);
    this.#kept.set(key, { report, seenMs: nowMs });
  }

  /** Forgets ranks that are silent so long that they are dead. */
  forgetDead(nowMs: number): void {
    for (const [key, { seenMs }] of this.#kept) {
      if (nowMs - seenMs <= limits.deadMs) return;
      this.#kept.delete(key);
    }
  }

  /** Ranks kept, and how many of them are stale. O(stale). */
  count(nowMs: number): { readonly ranks: number; readonly stale: number } {
    let stale = 0;
    for (const { seenMs } of this.#kept.values()) {
      if (!isStale(nowMs - seenMs)) break;
      stale++;
    }
    return { ranks: this.#kept.size, stale };
  }

  /** Every rank, ordered by instance and rank. */
  workers(nowMs: number): readonly WorkerLoad[] {
    const keys = [...this.#kept.keys()].sort();
    return keys.map((key) => {
      const { report, seenMs } = this.#kept.get(key)!;
      const ageMs = nowMs - seenMs;
      return { report, ageMs, stale: isStale(ageMs) };
    });
  }

  /** Throws where the window broke its own rules; for tests. */
  checkIntegrity(): void {
    let lastMs = -Infinity;
    for (const [key, { report, seenMs }] of this.#kept) {
      if (key !== workerRankText(report)) throw new Error(`Report of ${key} is under another rank`);
      if (seenMs < lastMs) throw new Error(`Report of ${key} is out of order`);
      lastMs = seenMs;
    }
    if (this.#kept.size > maxRanks) throw new Error(`More than ${maxRanks} ranks`);
  }
}

function isStale(ageMs: number): boolean {
  return ageMs > stalePeriods * limits.loadEveryMs;
}

/** Sums of what fresh ranks of one role report. */
export function sumLoads(
  workers: readonly WorkerLoad[],
  role: LoadReport["role"],
): LoadSums {
  const sums = {
    ranks: 0,
    running: 0,
    waiting: 0,
    maxSeqs: 0,
    prefillTokens: 0,
    activeBlocks: 0,
    totalBlocks: 0,
  };
  for (const { report, stale } of workers) {
    if (stale || report.role !== role) continue;
    sums.ranks++;
    sums.running += report.running;
    sums.waiting += report.waiting;
    sums.maxSeqs += report.maxSeqs;
    sums.prefillTokens += report.prefillTokens;
    sums.activeBlocks += report.activeBlocks;
    sums.totalBlocks += report.totalBlocks;
  }
  return sums;
}
