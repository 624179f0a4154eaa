import { fail, streamKeyText } from "@pixii/wire";
import type {
  ErrorCode,
  Failure,
  InstanceId,
  LedgerEntry,
  ModelHash,
  RouteRequest,
} from "@pixii/wire";
import { BoundedMap } from "./bounded_map.ts";
import type { Decision, DecisionMoment } from "./decide.ts";
import { RouteQueue } from "./route_queue.ts";
import { unplaceableMs } from "./queue_rules.ts";
import type { QueueRules } from "./queue_rules.ts";
import type { RouterState } from "./router_state.ts";
import { laneOf } from "./waiting.ts";
import type { Waiting } from "./waiting.ts";

/** Placed streams whose tenants are remembered, so that their output is charged. */
const mostCharged = 65_536;
/** A waiting request whose frontend is not in the registry for this long is forgotten. */
const frontendGraceMs = 3_000;

/** What became of a route request. */
export type RouteOutcome =
  | { readonly kind: "placed"; readonly decision: Decision }
  | { readonly kind: "refused"; readonly error: Failure }
  | { readonly kind: "queued"; readonly ahead: number };

/** How a wait ended. */
export interface Settled {
  readonly waiting: Waiting;
  readonly outcome: Exclude<RouteOutcome, { readonly kind: "queued" }>;
}

/**
 * Takes route requests: decides at once while some worker has room, else lets them wait. Every request that was told
 * `queued` ends once: settled by `pass`, `closing` or `frontendsGone`, or by `cancel`. Pure: time and chance are arguments.
 */
export class RouteDesk {
  readonly #state: RouterState;
  readonly #rules: QueueRules;
  readonly #queues = new Map<ModelHash, RouteQueue>();
  readonly #tenants = new BoundedMap<string, { model: ModelHash; tenant: string }>(mostCharged);
  /** A tenant was named at least once: before that there is nothing to be fair about. */
  #isShared = false;
  #size = 0;

  constructor(state: RouterState, rules: QueueRules) {
    this.#state = state;
    this.#rules = rules;
  }

  /** Requests that wait, of all models. */
  get size(): number {
    return this.#size;
  }

  /** The queues by model; one stays once somebody had to wait. */
  get queues(): ReadonlyMap<ModelHash, RouteQueue> {
    return this.#queues;
  }

  /** Places the request, lets it wait, or refuses it. */
  route(model: ModelHash, request: RouteRequest, moment: DecisionMoment): RouteOutcome {
    const queue = this.#queues.get(model);
    if (
      queue !== undefined && queue.size > 0 && queue.hasLane(this.#lane(model, request, moment))
    ) {
      // Nobody overtakes those who wait for the same workers.
      return this.#wait(model, request, moment);
    }
    const decision = this.#state.route(model, request, moment);
    if (decision.ok) {
      this.#charge(model, request, decision.value);
      return { kind: "placed", decision: decision.value };
    }
    if (decision.error.code !== "overloaded") return { kind: "refused", error: decision.error };
    return this.#wait(model, request, moment);
  }

  /** Ends the waits that can end now: a worker has room, or time is over. Call it after every change of load, and often. */
  pass(moment: DecisionMoment): Settled[] {
    if (this.#size === 0) return [];
    const settled: Settled[] = [];
    for (const [model, queue] of this.#queues) {
      for (const waiting of queue.expired(moment.nowMs)) {
        settled.push(this.#refuse(waiting, this.#timeOver(queue, waiting, moment.nowMs)));
      }
      const closed = new Set<string>();
      let waiting = queue.next(closed, moment.nowMs);
      while (waiting !== undefined) {
        const one = this.#try(model, waiting, moment);
        if (one === undefined) closed.add(waiting.lane);
        else settled.push(one);
        waiting = queue.next(closed, moment.nowMs);
      }
    }
    return settled;
  }

  /** The client is gone: it waits no more and gets no answer. False where it does not wait. */
  cancel(key: string): boolean {
    for (const queue of this.#queues.values()) {
      const waiting = queue.get(key);
      if (waiting !== undefined) return this.#remove(waiting);
    }
    return false;
  }

  /** A ledger entry: a stream that is complete waits no more, and its output is charged. True where one stopped waiting. */
  heard(entry: LedgerEntry): boolean {
    if (entry.op !== "complete" || (this.#size === 0 && !this.#isShared)) return false;
    const key = streamKeyText(entry);
    const known = this.#tenants.get(key);
    if (known !== undefined) {
      this.#tenants.delete(key);
      const tokens = (entry.outputTokens ?? 0) * this.#rules.outputWeight;
      this.#queues.get(known.model)?.counters.charge(known.tenant, tokens);
    }
    return this.#size > 0 && this.cancel(key);
  }

  /** Settles what waits for frontends that left the registry. */
  frontendsGone(isPresent: (frontend: InstanceId) => boolean, nowMs: number): Settled[] {
    return this.#settleAll(
      ({ request, sinceMs }) => !isPresent(request.frontend) && nowMs - sinceMs > frontendGraceMs,
      fail("cancelled", "Cannot place the request: its frontend is gone").error,
    );
  }

  /** Settles everything: the router shuts down. */
  closing(): Settled[] {
    return this.#settleAll(
      () => true,
      fail("draining", "Cannot place the request: this router is shutting down; ask another").error,
    );
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    let size = 0;
    for (const queue of this.#queues.values()) {
      queue.checkIntegrity();
      size += queue.size;
    }
    if (size !== this.#size) throw new Error(`${size} requests wait, ${this.#size} are counted`);
  }

  #wait(model: ModelHash, request: RouteRequest, moment: DecisionMoment): RouteOutcome {
    let queue = this.#queues.get(model);
    if (queue === undefined) this.#queues.set(model, queue = new RouteQueue(model, this.#rules));
    const before = queue.size;
    const { nowMs } = moment;
    const offered = queue.offer(request, { lane: this.#lane(model, request, moment), nowMs });
    if (!offered.ok) return { kind: "refused", error: offered.error };
    this.#size += queue.size - before;
    return { kind: "queued", ahead: before };
  }

  #try(model: ModelHash, waiting: Waiting, moment: DecisionMoment): Settled | undefined {
    const { nowMs } = moment;
    const { request } = waiting;
    const queuedMs = nowMs - waiting.sinceMs;
    const remainingMs = Math.max(0, waiting.deadlineMs - nowMs);
    const decision = this.#state.route(model, { ...request, remainingMs }, { ...moment, queuedMs });
    if (decision.ok) {
      this.#charge(model, request, decision.value);
      this.#queues.get(model)!.placed(waiting, nowMs);
      this.#size -= 1;
      return { waiting, outcome: { kind: "placed", decision: decision.value } };
    }
    const { code } = decision.error;
    if (code !== "no_worker") waiting.unplaceableMs = undefined;
    if (code === "overloaded") return undefined;
    waiting.unplaceableMs ??= nowMs;
    const isPassing = code === "no_worker" && nowMs - waiting.unplaceableMs < unplaceableMs;
    return isPassing ? undefined : this.#refuse(waiting, decision.error);
  }

  #timeOver(queue: RouteQueue, waiting: Waiting, nowMs: number): Failure {
    const waited = `it waited ${Math.round(nowMs - waiting.sinceMs)} ms for a worker with room`;
    const isOwn = waiting.deadlineMs <= nowMs;
    const code: ErrorCode = isOwn ? "timeout" : "overloaded";
    const retryAfterMs = queue.rate.waitMs(queue.size, nowMs);
    const seconds = Math.ceil(retryAfterMs / 1000);
    const text = isOwn
      ? `${waited}, and its time is over; allow more time`
      : `${waited}, as long as it may; try again in ${seconds} s`;
    return fail(code, `Cannot place the request: ${text}`, { retryAfterMs }).error;
  }

  #refuse(waiting: Waiting, error: Failure): Settled {
    this.#remove(waiting);
    return { waiting, outcome: { kind: "refused", error } };
  }

  #settleAll(isMeant: (waiting: Waiting) => boolean, error: Failure): Settled[] {
    const all = [...this.#queues.values()].flatMap((queue) => [...queue.all()]);
    return all.filter(isMeant).map((waiting) => this.#refuse(waiting, error));
  }

  #remove(waiting: Waiting): boolean {
    const isRemoved = this.#queues.get(waiting.model)?.remove(waiting) ?? false;
    if (isRemoved) this.#size -= 1;
    return isRemoved;
  }

  #lane(model: ModelHash, request: RouteRequest, { nowMs }: DecisionMoment): string {
    return laneOf(request, this.#state.boundTo(model, request, nowMs));
  }

  /** Counts what the tenant is served; costs nothing until somebody names one. */
  #charge(model: ModelHash, request: RouteRequest, { rank, overlap }: Decision): void {
    const tenant = request.hints?.tenant;
    if (tenant !== undefined) this.#isShared = true;
    if (!this.#isShared) return;
    let queue = this.#queues.get(model);
    if (queue === undefined) this.#queues.set(model, queue = new RouteQueue(model, this.#rules));
    const blocks = overlap.device + overlap.host + overlap.disk;
    const cached = Math.min(request.isl, blocks * rank.card.blockSize);
    const tokens = request.isl - cached + this.#rules.cachedWeight * cached;
    queue.counters.charge(tenant ?? "", tokens);
    this.#tenants.set(streamKeyText(request), { model, tenant: tenant ?? "" });
  }
}
