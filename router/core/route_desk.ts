import { fail, streamKeyText } from "@pixii/wire";
import type { Failure, InstanceId, LedgerEntry, ModelHash, RouteRequest } from "@pixii/wire";
import { attemptOf } from "./attempt.ts";
import { BoundedMap } from "./bounded_map.ts";
import type { Decision, DecisionMoment } from "./decide.ts";
import type { Claims } from "./claims.ts";
import { QueueRound } from "./queue_round.ts";
import { RouteQueue } from "./route_queue.ts";
import { mostPassedOver, unplaceableMs } from "./queue_rules.ts";
import type { QueueRules } from "./queue_rules.ts";
import type { RouterState } from "./router_state.ts";
import { timeOver } from "./time_over.ts";
import { WaitPlaces } from "./wait_places.ts";
import { laneOf } from "./waiting.ts";
import type { Waiting, WaitingPlace } from "./waiting.ts";

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
  readonly #places = new WaitPlaces();
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

  /** When the next requests that are gathered are looked at: call `pass` then; infinite where none are. */
  nextReadyMs(nowMs: number): number {
    return this.#places.nextReadyMs(nowMs);
  }

  /** Places the request, lets it wait, or refuses it. */
  route(model: ModelHash, request: RouteRequest, moment: DecisionMoment): RouteOutcome {
    if (this.#mayWaitForBest(request)) return this.#routeToBest(model, request, moment);
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
        settled.push(this.#refuse(waiting, timeOver(queue, waiting, moment.nowMs)));
      }
      const { claims } = this.#places.of(model);
      claims.clear();
      const mostPassed = () =>
        this.#rules.waitForBest === true && this.#state.room(model, moment.nowMs) > 0
          ? mostPassedOver
          : 1;
      let most = mostPassed();
      const round = new QueueRound();
      let waiting = queue.next(round, moment.nowMs);
      while (waiting !== undefined) {
        const one = this.#try(model, waiting, { ...moment, claims });
        if (one === "full") round.close(waiting.lane);
        else if (one === "waits") round.passOver(waiting, most);
        else {
          settled.push(one);
          most = mostPassed();
        }
        waiting = queue.next(round, moment.nowMs);
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

  /** Only policy `ttft` predicts how long each worker takes. */
  #mayWaitForBest({ hints }: RouteRequest): boolean {
    return this.#rules.waitForBest === true && (hints?.policy ?? this.#state.policy) === "ttft";
  }

  /** As `route` where the request waits for its best worker: it overtakes only those who found others better. */
  #routeToBest(model: ModelHash, request: RouteRequest, moment: DecisionMoment): RouteOutcome {
    const place = this.#places.of(model);
    const { claims } = place;
    if ((this.#queues.get(model)?.size ?? 0) === 0) claims.clear();
    const gathered = this.#gather(model, request, { ...moment, claims });
    if (gathered !== undefined) return gathered;
    const attempt = this.#state.attempt(model, request, { ...moment, claims });
    if (attempt.kind === "placed") this.#charge(model, request, attempt.decision);
    if (attempt.kind !== "waits") return attempt;
    const { rank, workMs } = attempt;
    const outcome = this.#wait(model, request, { ...moment, workMs });
    if (outcome.kind === "queued") claims.add(rank, workMs);
    return outcome;
  }

  /** Lets a request wait for others that come with it, where that is wanted and it can. */
  #gather(
    model: ModelHash,
    request: RouteRequest,
    moment: DecisionMoment & { readonly claims: Claims },
  ): RouteOutcome | undefined {
    const { gatherMs = 0 } = this.#rules;
    if (gatherMs === 0 || request.attempt > 0 || request.hints?.queueMs === 0) return undefined;
    const decision = this.#state.decide(model, request, moment);
    if (!decision.ok) return { kind: "refused", error: decision.error };
    const place = this.#places.of(model);
    const { nowMs } = moment;
    if (place.gatheredMs <= nowMs) place.gatheredMs = nowMs + gatherMs;
    const { workMs } = decision.value;
    const outcome = this.#wait(model, request, { ...moment, workMs, readyMs: place.gatheredMs });
    // A full queue gathers nobody: some worker may have room.
    return outcome.kind === "queued" ? outcome : undefined;
  }

  #wait(
    model: ModelHash,
    request: RouteRequest,
    moment: DecisionMoment & Pick<WaitingPlace, "workMs" | "readyMs">,
  ): RouteOutcome {
    let queue = this.#queues.get(model);
    if (queue === undefined) this.#queues.set(model, queue = new RouteQueue(model, this.#rules));
    const before = queue.size;
    const { nowMs, workMs, readyMs } = moment;
    const lane = this.#lane(model, request, moment);
    const offered = queue.offer(request, { lane, nowMs, workMs, readyMs });
    if (!offered.ok) return { kind: "refused", error: offered.error };
    this.#size += queue.size - before;
    return { kind: "queued", ahead: before };
  }

  /** Places or refuses one that waits; or tells that it waits on: for its best worker, or as all that could take it are full. */
  #try(
    model: ModelHash,
    waiting: Waiting,
    moment: DecisionMoment & { readonly claims: Claims },
  ): Settled | "waits" | "full" {
    const { nowMs, claims, ...rest } = moment;
    const { request } = waiting;
    const queuedMs = nowMs - waiting.sinceMs;
    const remainingMs = Math.max(0, waiting.deadlineMs - nowMs);
    const asked = { ...request, remainingMs };
    const now = { ...rest, nowMs, queuedMs };
    const attempt = this.#mayWaitForBest(request)
      ? this.#state.attempt(model, asked, { ...now, claims })
      : attemptOf(this.#state.route(model, asked, now));
    if (attempt.kind === "waits") {
      waiting.unplaceableMs = undefined;
      claims.add(attempt.rank, attempt.workMs);
      return "waits";
    }
    if (attempt.kind === "placed") {
      this.#charge(model, request, attempt.decision);
      this.#queues.get(model)!.placed(waiting, nowMs);
      this.#size -= 1;
      return { waiting, outcome: attempt };
    }
    const { error } = attempt;
    const { code } = error;
    if (code !== "no_worker") waiting.unplaceableMs = undefined;
    if (code === "overloaded") return "full";
    waiting.unplaceableMs ??= nowMs;
    const isPassing = code === "no_worker" && nowMs - waiting.unplaceableMs < unplaceableMs;
    return isPassing ? "full" : this.#refuse(waiting, error);
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
