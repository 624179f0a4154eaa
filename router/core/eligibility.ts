import { fail, hintMisfit, ok, takesAnswers } from "@pixii/wire";
import { isBusy } from "./busy.ts";
import type { Result, RouteRequest } from "@pixii/wire";
import type { Excluded } from "./decision_trace.ts";
import type { Liveness } from "./liveness.ts";
import type { Model } from "./model.ts";
import type { BusyRules } from "./queue_rules.ts";
import type { Rank } from "./rank.ts";

/** Wait that a refusal proposes: by then every live worker has reported. */
const retryAfterMs = 250;

/** Why a rank takes no request, or not this one; in the order in which they are looked at. */
const reasons = [
  ...["other", "excluded", "labels", "tainted", "bound", "prefill", "draining"] as const,
  ...["silent", "hung", "short", "busy", "adapter"] as const,
] as const;
type Reason = typeof reasons[number];

const reasonTexts: Readonly<Record<Reason, string>> = {
  other: "with other weights",
  excluded: "left out by the hints",
  labels: "without the labels that are required",
  tainted: "with a taint that is not tolerated",
  bound: "not the one that the hard session is bound to",
  prefill: "only for prefill",
  draining: "shutting down",
  silent: "silent",
  hung: "stuck in a step",
  short: "with too short a context",
  busy: "full",
  adapter: "without its adapter",
};

/** What judges a rank besides the request. */
export interface Judges {
  readonly liveness: Liveness;
  readonly nowMs: number;
  /** A step older than this: the engine hangs. */
  readonly hungStepMs: number;
  /** When a rank is full; without it none is. */
  readonly busy?: BusyRules;
  /** Key of the only rank that may serve the request's hard session. */
  readonly boundTo?: string;
  /** Takes every rank that falls out, and why, for the decision's record. */
  readonly excluded?: Excluded[];
}

/**
 * The ranks that may take the request, at least one; or `no_worker` with how many fell out and why, `overloaded` where
 * some would take it were they not full, or `context_length_exceeded`. Ranks that have the request's adapter loaded
 * leave the others out.
 */
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
  if (eligible.length > 0) return ok(withAdapter(eligible, request, judges));
  const fallen = reasons.filter((reason) => counts.has(reason));
  if (fallen.length === 1 && fallen[0] === "short") {
    const most = Math.max(...model.ranks.map((rank) => rank.card.contextLength));
    return fail(
      "context_length_exceeded",
      `Cannot place the request: its prompt has ${request.isl} tokens, and ${model.name} takes fewer than ${most}; shorten it`,
    );
  }
  if (counts.has("busy")) {
    return fail(
      "overloaded",
      `Cannot place the request: all ${
        counts.get("busy")
      } workers of ${model.name} that could take it are full; try again`,
      { retryAfterMs },
    );
  }
  const why = fallen.map((reason) => `${counts.get(reason)} ${reasonTexts[reason]}`).join(", ");
  return fail(
    "no_worker",
    `Cannot place the request: none of the ${model.ranks.length} workers of ${model.name} takes it (${why}); ${
      advice(fallen)
    } again`,
    { retryAfterMs },
  );
}

/** What to do first about an empty list. */
function advice(fallen: readonly Reason[]): string {
  if (fallen.includes("bound")) return "begin a new session, make it soft, or try";
  if (fallen.includes("excluded")) return "loosen the hints worker, allow and deny, or try";
  if (fallen.includes("labels")) return "require fewer labels, or try";
  return fallen.includes("tainted") ? "tolerate the taint, or try" : "try";
}

/** Those that have the request's adapter loaded, or all where none has. */
function withAdapter(
  ranks: readonly Rank[],
  { hints }: RouteRequest,
  judges: Judges,
): readonly Rank[] {
  const adapter = hints?.adapter;
  if (adapter === undefined) return ranks;
  const having = ranks.filter(({ card }) => card.adapters?.includes(adapter));
  if (having.length === 0) return ranks;
  for (const rank of ranks) {
    if (!having.includes(rank)) judges.excluded?.push({ rank, reason: "adapter" });
  }
  return having;
}

function whyNot(rank: Rank, request: RouteRequest, judges: Judges): Reason | undefined {
  const { card, report, worker } = rank;
  if (rank.isStranger) return "other";
  const misfit = hintMisfit(card, request.hints, worker.dpRank);
  if (misfit !== undefined) return misfit;
  if (judges.boundTo !== undefined && judges.boundTo !== rank.key) return "bound";
  if (!takesAnswers(report ?? card)) return "prefill";
  if (report?.draining) return "draining";
  if (judges.liveness.state(worker.instance, judges.nowMs) !== "live") return "silent";
  if ((report?.stepAgeMs ?? 0) >= judges.hungStepMs) return "hung";
  if (request.isl >= card.contextLength) return "short";
  return judges.busy !== undefined && isBusy(rank, judges.busy) ? "busy" : undefined;
}
