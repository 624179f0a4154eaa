import { workerRankText } from "@pixii/wire";
import type { Role, SeenWorker } from "./observation.ts";

/** What taking a worker away costs, each part 0..1, larger is worse. */
export interface Regret {
  /** Streams that have to end or move first. */
  readonly streams: number;
  /** Cached KV that is lost where the worker goes (a role change keeps it). */
  readonly cached: number;
  /** KV of running streams: how long they still hold it. */
  readonly held: number;
}

/** Regret of taking a worker away: sessions and remaining tokens weigh most, then what it has cached. */
export function regretOf(worker: SeenWorker, keepsCache: boolean): Regret {
  const total = Math.max(1, worker.totalBlocks);
  return {
    streams: worker.running + worker.waiting,
    cached: keepsCache ? 0 : worker.cachedBlocks / total,
    held: worker.activeBlocks / total,
  };
}

/**
 * The workers of a role whose loss is regretted least, the least first; those that are stale or on their way somewhere are
 * not taken. Ties by key, so that equal observations give equal victims.
 */
export function victims(
  workers: readonly SeenWorker[],
  { role, keepsCache }: { readonly role: Role; readonly keepsCache: boolean },
): SeenWorker[] {
  const sum = (worker: SeenWorker) => {
    const { streams, cached, held } = regretOf(worker, keepsCache);
    return streams + cached + held;
  };
  return workers.filter((one) => one.role === role && one.state === "live").sort((a, b) =>
    sum(a) - sum(b) || (workerRankText(a.rank) < workerRankText(b.rank) ? -1 : 1)
  );
}
