import { everyTaint, streamKeyText } from "@pixii/wire";
import type { ModelHash, RouteRequest } from "@pixii/wire";
import type { QueueRules } from "./queue_rules.ts";

/** A request that waits for a worker with room. */
export interface Waiting {
  /** `streamKeyText`. */
  readonly key: string;
  readonly model: ModelHash;
  readonly request: RouteRequest;
  readonly tenant: string;
  /** Requests of one lane may go to the same workers. */
  readonly lane: string;
  readonly sinceMs: number;
  /** It is not looked at before: others may come with it. */
  readonly readyMs: number;
  /** Where it stands among its tenant's: when it came, less what its priority is worth, more what its length and its work are. */
  readonly orderMs: number;
  /** Arrival number: breaks ties. */
  readonly number: number;
  /** Its own time is over then. */
  readonly deadlineMs: number;
  /** It waited as long as it may then. */
  readonly untilMs: number;
  /** Since when no worker at all can take it, busy or not. */
  unplaceableMs: number | undefined;
}

/** A second or later attempt stands before all first ones: its client may have seen text. */
const retryLeadMs = 1e12;

/** Where and when a request begins to wait. */
export interface WaitingPlace {
  readonly lane: string;
  readonly nowMs: number;
  /** How long it will compute, where that is predicted; left out, 0. */
  readonly workMs?: number;
  /** When it is first looked at; left out, at once. */
  readonly readyMs?: number;
}

/** A request as it begins to wait. */
export function waitingOf(
  request: RouteRequest,
  place: WaitingPlace & { model: ModelHash; number: number; rules: QueueRules },
): Waiting {
  const { hints, remainingMs, attempt } = request;
  const { model, lane, number, nowMs, rules, workMs = 0, readyMs = nowMs } = place;
  const leadMs = (hints?.priority ?? 0) * rules.priorityStepMs + (attempt > 0 ? retryLeadMs : 0);
  const lagMs = request.isl * (rules.promptTokenMs ?? 0) + workMs * (rules.workWeight ?? 0);
  const mostMs = Math.min(rules.maxWaitMs, hints?.queueMs ?? Infinity);
  return {
    ...{ key: streamKeyText(request), model, request, tenant: hints?.tenant ?? "", lane },
    ...{
      sinceMs: nowMs,
      readyMs,
      orderMs: nowMs - leadMs + lagMs,
      number,
      unplaceableMs: undefined,
    },
    ...{ deadlineMs: nowMs + remainingMs, untilMs: nowMs + mostMs },
  };
}

/** True where `a` stands before `b` among one tenant's. */
export function isBefore(a: Waiting, b: Waiting): boolean {
  return a.orderMs < b.orderMs || (a.orderMs === b.orderMs && a.number < b.number);
}

/** Names the workers that a request may go to: equal texts mean equal sets. `boundTo`: the only rank of its hard session. */
export function laneOf({ hints }: RouteRequest, boundTo: string | undefined): string {
  if (hints === undefined) return "";
  const { worker, dpRank, allow, deny, require, tolerate } = hints;
  const tolerates = tolerate?.includes(everyTaint) ? [everyTaint] : tolerate;
  const parts = [worker, dpRank, allow, deny, require, tolerates, boundTo];
  return parts.every((part) => part === undefined) ? "" : JSON.stringify(parts);
}
