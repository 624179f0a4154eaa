import type { Counts } from "./capacity/need.ts";
import type { Role, SeenWorker } from "./observation.ts";
import type { PlanMove } from "./plan_record.ts";
import { victims } from "./victim.ts";

const roles = ["prefill", "decode", "both"] as const satisfies readonly Role[];

/** Workers by job, those on their way counted where they will be; draining ones count no more. */
export function countsOf(workers: readonly SeenWorker[]): Counts {
  const of = (role: Role) =>
    workers.filter((one) => one.role === role && one.state !== "draining").length;
  return { prefill: of("prefill"), decode: of("decode"), both: of("both") };
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
  const next = (role: Role, keepsCache: boolean) =>
    victims(workers, { role, keepsCache }).find((one) =>
      !taken.has(one) &&
      (limits.mayTake?.(keepsCache ? "flip" : "stop", one.rank.instance) ?? true)
    );
  for (const to of limits.mayFlip ? roles : []) {
    for (const from of roles) {
      while (lack.get(to)! > 0 && lack.get(from)! < 0) {
        const worker = next(from, true);
        if (worker === undefined) break;
        taken.add(worker);
        moves.push({ kind: "flip", model, rank: worker.rank, from, to, reason });
        lack.set(to, lack.get(to)! - 1);
        lack.set(from, lack.get(from)! + 1);
      }
    }
  }
  for (const role of roles) {
    const wanted = lack.get(role)!;
    for (let i = 0; i < wanted && limits.mayStart; i++) {
      moves.push({ kind: "start", model, role, reason });
    }
    for (let i = 0; i < -wanted && limits.mayStop; i++) {
      const worker = next(role, false);
      if (worker === undefined) break;
      taken.add(worker);
      moves.push({ kind: "stop", model, rank: worker.rank, role, reason });
    }
  }
  return moves;
}
