import { fail, ok, streamKeyText } from "@pixii/wire";
import type { ModelHash, Result, RouteRequest } from "@pixii/wire";
import { DrainRate } from "./drain_rate.ts";
import { agedTurn, mostLanes } from "./queue_rules.ts";
import type { QueueRules } from "./queue_rules.ts";
import { TenantCounters } from "./tenant_counters.ts";
import type { QueueRound } from "./queue_round.ts";
import { isBefore, waitingOf } from "./waiting.ts";
import type { Waiting, WaitingPlace } from "./waiting.ts";

/** What one tenant has waiting. */
interface TenantShare {
  requests: number;
  tokens: number;
}

/**
 * The requests of one model that wait for a worker with room. Whose turn it is: the tenant that was served least
 * (`TenantCounters`), and of its requests the one that came first, each point of priority counting as so much earlier;
 * but every fourth turn is of whoever waited longest, once that is longer than `agedMs`, so that nobody waits for ever.
 * Pure: time is an argument. `offer` and `remove` cost O(waiting of the tenant), `next` O(lanes x
 * tenants + those whom the round passed over).
 */
export class RouteQueue {
  readonly counters = new TenantCounters();
  readonly rate = new DrainRate();
  readonly #model: ModelHash;
  readonly #rules: QueueRules;
  /** By key, oldest first. */
  readonly #all = new Map<string, Waiting>();
  /** By lane and tenant, each list in order. */
  readonly #lanes = new Map<string, Map<string, Waiting[]>>();
  readonly #shares = new Map<string, TenantShare>();
  #tokens = 0;
  #number = 0;
  #turn = 0;

  constructor(model: ModelHash, rules: QueueRules) {
    this.#model = model;
    this.#rules = rules;
  }

  /** Requests that wait. */
  get size(): number {
    return this.#all.size;
  }

  /** Their prompt tokens. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Tenants that wait, with what each has waiting. */
  get shares(): ReadonlyMap<string, Readonly<TenantShare>> {
    return this.#shares;
  }

  /** All that wait, oldest first. */
  all(): Iterable<Waiting> {
    return this.#all.values();
  }

  /** True where somebody waits for the workers of this lane. */
  hasLane(lane: string): boolean {
    return this.#lanes.has(lane);
  }

  /** The waiting request of a stream. */
  get(key: string): Waiting | undefined {
    return this.#all.get(key);
  }

  /** Lets a request wait; `rate_limited` over its tenant's share, `overloaded` over the queue's bounds. */
  offer(request: RouteRequest, place: WaitingPlace): Result<Waiting> {
    const known = this.#all.get(streamKeyText(request));
    if (known !== undefined) return ok(known);
    const { nowMs } = place;
    const refusal = this.#refusal(request, place);
    if (refusal !== undefined) return refusal;
    if (this.#all.size === 0) this.rate.began(nowMs);
    const waiting = waitingOf(request, {
      ...{ ...place, model: this.#model, number: this.#number, rules: this.#rules },
    });
    this.#number += 1;
    this.#add(waiting);
    return ok(waiting);
  }

  /** Whose turn it is among those that a round has still to look at; stays until removed. */
  next(round: QueueRound, nowMs: number): Waiting | undefined {
    if (round.closed >= this.#lanes.size) return undefined;
    const isMeant = (one: Waiting) => one.readyMs <= nowMs && round.isOpen(one);
    if (this.#turn % agedTurn === agedTurn - 1) {
      const oldest = this.#oldest(isMeant);
      if (oldest !== undefined && nowMs - oldest.sinceMs > this.#rules.agedMs) return oldest;
    }
    let best: Waiting | undefined;
    for (const [lane, tenants] of this.#lanes) {
      if (round.isClosed(lane)) continue;
      for (const list of tenants.values()) {
        const head = list.find(isMeant);
        if (head === undefined) continue;
        if (best === undefined || this.#isFirst(head, best)) best = head;
      }
    }
    return best;
  }

  /** One goes to a worker. */
  placed(waiting: Waiting, nowMs: number): void {
    if (!this.remove(waiting)) return;
    this.#turn += 1;
    this.rate.left(nowMs);
  }

  /** One waits no more; false where it did not wait. */
  remove(waiting: Waiting): boolean {
    if (this.#all.get(waiting.key) !== waiting) return false;
    this.#all.delete(waiting.key);
    const { lane, tenant, request } = waiting;
    const tenants = this.#lanes.get(lane)!;
    const list = tenants.get(tenant)!;
    list.splice(list.indexOf(waiting), 1);
    if (list.length === 0) tenants.delete(tenant);
    if (tenants.size === 0) this.#lanes.delete(lane);
    this.#tokens -= request.isl;
    const share = this.#shares.get(tenant)!;
    share.requests -= 1;
    share.tokens -= request.isl;
    if (share.requests === 0) {
      this.#shares.delete(tenant);
      this.counters.left(tenant);
    }
    return true;
  }

  /** Those whose time is over by now. */
  expired(nowMs: number): Waiting[] {
    const over: Waiting[] = [];
    for (const one of this.#all.values()) {
      if (one.deadlineMs <= nowMs || one.untilMs <= nowMs) over.push(one);
    }
    return over;
  }

  /** Throws where the books do not add up, or a bound is passed. */
  checkIntegrity(): void {
    let [tokens, listed] = [0, 0];
    for (const { request } of this.#all.values()) tokens += request.isl;
    for (const [lane, tenants] of this.#lanes) {
      if (tenants.size === 0) throw new Error(`lane ${lane} is empty`);
      for (const [tenant, list] of tenants) {
        listed += list.length;
        const isRight = list.length > 0 &&
          list.every((one, i) =>
            this.#all.get(one.key) === one && one.lane === lane && one.tenant === tenant &&
            (i === 0 || isBefore(list[i - 1], one))
          );
        if (!isRight) throw new Error(`the list of tenant ${tenant} in lane ${lane} is wrong`);
      }
    }
    const shares = [...this.#shares.values()];
    const sum = (name: keyof TenantShare) => shares.reduce((all, one) => all + one[name], 0);
    const isRight = listed === this.size && sum("requests") === this.size &&
      tokens === this.#tokens && sum("tokens") === this.#tokens;
    if (!isRight) throw new Error("the sums of the queue are not those of its requests");
    const { maxRequests, maxTokens } = this.#rules;
    if (this.size > maxRequests || this.#tokens > maxTokens || this.#lanes.size > mostLanes) {
      throw new Error("the queue is over its bounds");
    }
  }

  #isFirst(a: Waiting, b: Waiting): boolean {
    if (a.tenant === b.tenant) return isBefore(a, b);
    const [mine, theirs] = [this.counters.of(a.tenant), this.counters.of(b.tenant)];
    return mine < theirs || (mine === theirs && isBefore(a, b));
  }

  #oldest(isMeant: (waiting: Waiting) => boolean): Waiting | undefined {
    for (const waiting of this.#all.values()) {
      if (isMeant(waiting)) return waiting;
    }
    return undefined;
  }

  #add(waiting: Waiting): void {
    const { lane, tenant, request } = waiting;
    let tenants = this.#lanes.get(lane);
    if (tenants === undefined) this.#lanes.set(lane, tenants = new Map());
    let list = tenants.get(tenant);
    if (list === undefined) tenants.set(tenant, list = []);
    let at = list.length;
    while (at > 0 && isBefore(waiting, list[at - 1])) at -= 1;
    list.splice(at, 0, waiting);
    this.#all.set(waiting.key, waiting);
    this.#tokens += request.isl;
    let share = this.#shares.get(tenant);
    if (share === undefined) {
      this.counters.joined(tenant, this.#shares.keys());
      this.#shares.set(tenant, share = { requests: 0, tokens: 0 });
    }
    share.requests += 1;
    share.tokens += request.isl;
  }

  #refusal(
    request: RouteRequest,
    { lane, nowMs }: { readonly lane: string; readonly nowMs: number },
  ): Result<never> | undefined {
    const { maxRequests, maxTokens, tenantShare } = this.#rules;
    const tenant = request.hints?.tenant;
    const retryAfterMs = this.rate.waitMs(this.size, nowMs);
    const after = `try again in ${Math.ceil(retryAfterMs / 1000)} s`;
    if (request.hints?.queueMs === 0) {
      const text = "every worker that could take it is full, and it may not wait";
      return fail("overloaded", `Cannot place the request: ${text}; ${after}`, { retryAfterMs });
    }
    const tokens = this.#tokens + request.isl;
    const isNewLane = !this.#lanes.has(lane) && this.#lanes.size >= mostLanes;
    if (this.size >= maxRequests || tokens > maxTokens || isNewLane) {
      const text =
        `every worker is full, and so is the queue (${this.size} requests, ${this.#tokens} tokens)`;
      return fail("overloaded", `Cannot place the request: ${text}; ${after}`, { retryAfterMs });
    }
    const share = this.#shares.get(tenant ?? "") ?? { requests: 0, tokens: 0 };
    const isOver = share.requests >= Math.ceil(tenantShare * maxRequests) ||
      share.tokens + request.isl > Math.ceil(tenantShare * maxTokens);
    if (!isOver) return undefined;
    const held = `${share.requests} requests, ${share.tokens} tokens`;
    // A second attempt is not sent away for its tenant's sake: its client may have seen text.
    if (request.attempt > 0) return undefined;
    return tenant === undefined
      ? fail(
        "overloaded",
        `Cannot place the request: every worker is full, and requests without a tenant have their share of the queue (${held}); ${after}`,
        { retryAfterMs },
      )
      : fail(
        "rate_limited",
        `Cannot place the request: every worker is full, and its tenant has its share of the queue (${held}); ${after}`,
        { retryAfterMs },
      );
  }
}
