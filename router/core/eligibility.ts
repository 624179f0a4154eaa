import { fail, ok } from "@pixii/wire";
import type { Result, RouteRequest } from "@pixii/wire";
import type { Excluded } from "./decision_trace.ts";
import type { Liveness } from "./liveness.ts";
import type { Model } from "./model.ts";
import type { Rank } from "./rank.ts";

/** Wait that a refusal proposes: by then every live worker has reported. */
const retryAfterMs = 250;

/** Why a rank takes no request, or not this one; in the order in which they are looked at. */
const reasons = ["other", "excluded", "prefill", "draining", "silent", "hung", "short"] as const;
type Reason = typeof reasons[number];

const reasonTexts: Readonly<Record<Reason, string>> = {
  other: "with other weights",
  excluded: "left out by the hints",
  prefill: "only for prefill",
  draining: "shutting down",
  silent: "silent",
  hung: "stuck in a step",
  short: "with too short a context",
};

/** What judges a rank besides the request. */
export interface Judges {
  readonly liveness: Liveness;
  readonly nowMs: number;
  /** A step older than this: the engine hangs. */
  readonly hungStepMs: number;
  /** Takes every rank that falls out, and why, for the decision's record. */
  readonly excluded?: Excluded[];
}

/** The ranks that may take the request, at least one; or `no_worker` with how many fell out and why, or `context_length_exceeded`. */
export function eligibleRanks(
  model: Model,
  request: RouteRequest,
  judges: Judges,
): Result<readonly Rank[]> {
  const eligible: Rank[] = [];
  const counts = new Map<Reason, number>();
  for (const rank of model.ranks) {
    const reason = whyNot(rank, request, judges);
    if (reason === undefined) eligible.push(rank);
    else {
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
      judges.excluded?.push({ rank, reason });
    }
  }
  if (eligible.length > 0) return ok(eligible);
  const fallen = reasons.filter((reason) => counts.has(reason));
  if (fallen.length === 1 && fallen[0] === "short") {
    const most = Math.max(...model.ranks.map((rank) => rank.card.contextLength));
    return fail(
      "context_length_exceeded",
      `Cannot place the request: its prompt has ${request.isl} tokens, and ${model.name} takes fewer than ${most}; shorten it`,
    );
  }
  const why = fallen.map((reason) => `${counts.get(reason)} ${reasonTexts[reason]}`).join(", ");
  return fail(
    "no_worker",
    `Cannot place the request: none of the ${model.ranks.length} workers of ${model.name} takes it (${why}); ${
      fallen.includes("excluded") ? "loosen the hints worker, allow and deny, or try" : "try"
    } again`,
    { retryAfterMs },
  );
}

function whyNot(rank: Rank, request: RouteRequest, judges: Judges): Reason | undefined {
  const { card, report, worker } = rank;
  const { hints } = request;
  if (rank.isStranger) return "other";
  if (hints !== undefined) {
    const isExcluded = (hints.worker !== undefined && hints.worker !== worker.instance) ||
      (hints.dpRank !== undefined && hints.dpRank !== worker.dpRank) ||
      hints.allow?.includes(worker.instance) === false ||
      hints.deny?.includes(worker.instance) === true;
    if (isExcluded) return "excluded";
  }
  if ((report?.role ?? card.role) === "prefill") return "prefill";
  if (report?.draining) return "draining";
  if (judges.liveness.state(worker.instance, judges.nowMs) !== "live") return "silent";
  if ((report?.stepAgeMs ?? 0) >= judges.hungStepMs) return "hung";
  return request.isl < card.contextLength ? undefined : "short";
}
