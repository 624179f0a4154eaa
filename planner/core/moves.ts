import { roles } from "@pixii/wire";
import type { Counts } from "./capacity/need.ts";
import type { Role, SeenWorker } from "./observation.ts";
import type { PlanMove } from "./plan_record.ts";
import { victims } from "./victim.ts";

/** Workers by job, those on their way counted where they will be; draining ones count no more. */
export function countsOf(workers: readonly SeenWorker[]): Counts {
  const of = (role: Role) =>
    workers.filter((one) => one.role === role && one.state !== "draining").length;
  return { prefill: of("prefill"), decode: of("decode"), both: of("both") };
}

/**
 * What is wanted with somebody who answers: where all there are compute prompts and would go on to, as after the death of who
 * answered, one worker with its ranks is to answer. Nothing is changed where that comes of itself, or no worker is wanted.
 */
export function answered(want: Counts, workers: readonly SeenWorker[]): Counts {
  const have = countsOf(workers);
  const { prefill, decode, both } = want;
  const comesAnyhow = decode + both > 0 && prefill < have.prefill;
  const isServed = have.decode + have.both > 0 || have.prefill === 0 || comesAnyhow;
  if (isServed || prefill + decode + both === 0) return want;
  const ranks = new Map<string, number>();
  for (const { role, state, rank: { instance } } of workers) {
    if (role === "prefill" && state !== "draining") {
      ranks.set(instance, (ranks.get(instance) ?? 0) + 1);
    }
  }
  const fewest = Math.min(...ranks.values());
  return { prefill: have.prefill - fewest, decode: Math.max(fewest, decode), both };
}

/** What moves may be made. */
export interface MoveLimits {
  readonly mayFlip: boolean;
  readonly mayStart: boolean;
  readonly mayStop: boolean;
  /** False for a worker that this is not to be done to; all may be moved without it. */
  readonly mayTake?: (kind: "flip" | "stop", instance: string) => boolean;
}

/** Moves that bring a model's workers to the wanted counts: roles change before workers start or stop. */
export function movesTo(
  want: Counts,
  workers: readonly SeenWorker[],
  options: { readonly model: string; readonly reason: string; readonly limits: MoveLimits },
): PlanMove[] {
  const { model, reason, limits } = options;
  const have = countsOf(workers);
  const lack = new Map(roles.map((role) => [role, want[role] - have[role]]));
  const moves: PlanMove[] = [];
  const taken = new Set<SeenWorker>();
  // A worker goes with all its ranks, or not at all: half of them would be more than was wanted, and come back.
  const next = (role: Role, keepsCache: boolean, most: number): readonly SeenWorker[] => {
    const free = victims(workers, { role, keepsCache }).filter((one) => !taken.has(one));
    for (const { rank: { instance } } of free) {
      const ranks = free.filter((one) => one.rank.instance === instance);
      if (ranks.length > most) continue;
      if (limits.mayTake?.(keepsCache ? "flip" : "stop", instance) ?? true) return ranks;
    }
    return [];
  };
  // Somebody answers at all times: who does goes only when another one is there, started or changed before.
  let answering =
    workers.filter(({ role, state }) => role !== "prefill" && state === "live").length;
  const mostToGo = (from: Role) =>
    from === "prefill" || want.decode + want.both === 0 ? Infinity : answering - 1;
  for (const to of limits.mayFlip ? roles : []) {
    for (const from of roles) {
      while (lack.get(to)! > 0 && lack.get(from)! < 0) {
        const most = Math.min(lack.get(to)!, -lack.get(from)!);
        const ranks = next(from, true, to === "prefill" ? Math.min(most, mostToGo(from)) : most);
        if (ranks.length === 0) break;
        if (to === "prefill" && from !== "prefill") answering -= ranks.length;
        for (const worker of ranks) {
          taken.add(worker);
          moves.push({ kind: "flip", model, rank: worker.rank, from, to, reason });
        }
        lack.set(to, lack.get(to)! - ranks.length);
        lack.set(from, lack.get(from)! + ranks.length);
      }
    }
  }
  for (const role of roles) {
    const wanted = lack.get(role)!;
    for (let i = 0; i < wanted && limits.mayStart; i++) {
      moves.push({ kind: "start", model, role, reason });
    }
    for (let left = -wanted; left > 0 && limits.mayStop;) {
      const ranks = next(role, false, Math.min(left, mostToGo(role)));
      if (ranks.length === 0) break;
      if (role !== "prefill") answering -= ranks.length;
      left -= ranks.length;
      for (const worker of ranks) {
        taken.add(worker);
        moves.push({ kind: "stop", model, rank: worker.rank, role, reason });
      }
    }
  }
  return moves;
}
