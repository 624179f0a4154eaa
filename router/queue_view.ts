import { streamKeyText } from "@pixii/wire";
import type { RouteDesk } from "./core/route_desk.ts";
import type { RouterState } from "./core/router_state.ts";

/** Most waiting requests, and tenants, that `/queue` names per model. */
const mostNamed = 100;

/** One model's queue as `/queue` shows it. */
export interface QueueView {
  readonly model: string;
  readonly requests: number;
  readonly tokens: number;
  /** Requests per second that left for a worker lately, where any did. */
  readonly drainRate: number | undefined;
  readonly tenants: readonly {
    readonly tenant: string;
    readonly requests: number;
    readonly tokens: number;
    /** Weighted tokens it was served: the least has the next turn. */
    readonly served: number;
  }[];
  /** The oldest ones. */
  readonly waiting: readonly {
    readonly stream: string;
    readonly tenant: string;
    readonly priority: number;
    readonly tokens: number;
    readonly waitedMs: number;
  }[];
}

/** The queues of all models where somebody ever waited. */
export function queueView(desk: RouteDesk, state: RouterState, nowMs: number): QueueView[] {
  return Array.from(desk.queues, ([hash, queue]) => ({
    model: state.fleet.models.get(hash)?.name ?? hash,
    ...{ requests: queue.size, tokens: queue.tokens, drainRate: queue.rate.perSecond(nowMs) },
    tenants: Array.from(queue.shares, ([tenant, { requests, tokens }]) => ({
      ...{ tenant, requests, tokens, served: queue.counters.of(tenant) },
    })).slice(0, mostNamed),
    waiting: Array.from(queue.all(), ({ request, tenant, sinceMs }) => ({
      ...{ stream: streamKeyText(request), tenant, priority: request.hints?.priority ?? 0 },
      ...{ tokens: request.isl, waitedMs: nowMs - sinceMs },
    })).slice(0, mostNamed),
  }));
}
