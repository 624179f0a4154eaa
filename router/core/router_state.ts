import { decodeKvEvents, fail, KvEventsHead, ok, otherLeg, workerRankText } from "@pixii/wire";
import type {
  InstanceId,
  KvEventBatch,
  KvHeartbeat,
  LedgerEntry,
  LoadReport,
  ModelHash,
  PolicyName,
  Result,
  RouteRequest,
} from "@pixii/wire";
import { attemptOf } from "./attempt.ts";
import type { Attempt } from "./attempt.ts";
import { roomOf } from "./busy.ts";
import type { PolicyWeights } from "./choose.ts";
import type { Claims } from "./claims.ts";
import { decide, hardSessionRank } from "./decide.ts";
import type { Decision, DecisionGround, DecisionMoment } from "./decide.ts";
import { DecisionLog } from "./decision_log.ts";
import type { GapCause, StreamChange } from "./stream_change.ts";
import { sourceKey } from "./event_source.ts";
import { EventStreams } from "./event_streams.ts";
import { Fleet } from "./fleet.ts";
import type { KvWeights } from "./kv_cost.ts";
import { Ledger } from "./ledger.ts";
import type { EntryResult, SweptBookings } from "./ledger.ts";
import { Liveness } from "./liveness.ts";
import type { Model } from "./model.ts";
import { Reach } from "./reach.ts";
import type { RouterRules } from "./router_rules.ts";
import type { BusyRules } from "./queue_rules.ts";
import { noTruthRules, Truth } from "./truth.ts";
import { Sessions } from "./sessions.ts";
import { prefillPlace } from "./split.ts";
import type { SplitRules } from "./split.ts";
import { defaultTtftWeights } from "./ttft_cost.ts";

/** What a load report changed. */
export interface ReportChange {
  /** False where its worker has no card. */
  readonly isKnown: boolean;
  readonly fell?: GapCause;
  /** Bookings it proved lost. */
  readonly lost: number;
}

/** Everything a router knows, and its decisions. Pure: time and chance are arguments; the same inputs give the same records. */
export class RouterState implements DecisionGround {
  readonly router: InstanceId;
  readonly policy: PolicyName;
  readonly kv: KvWeights;
  readonly weights: PolicyWeights;
  readonly hungStepMs: number;
  readonly busy: BusyRules | undefined;
  readonly split: SplitRules | undefined;
  readonly liveness = new Liveness();
  readonly ledger = new Ledger();
  readonly streams: EventStreams;
  readonly truth: Truth;
  readonly fleet: Fleet;
  readonly sessions: Sessions;
  readonly decisions: DecisionLog;
  /** What one pooled cache would have had of the same prompts. */
  readonly reach = new Reach();
  #stateVersion = 0;
  readonly #head = new KvEventsHead();

  constructor(rules: RouterRules) {
    this.router = rules.router;
    this.policy = rules.policy;
    this.kv = rules.kv;
    this.weights = { kv: rules.kv, ttft: rules.ttft ?? defaultTtftWeights };
    this.hungStepMs = rules.hungStepMs;
    this.busy = rules.busy;
    this.split = rules.split;
    this.sessions = new Sessions(rules.sessionTtlMs);
    this.decisions = new DecisionLog(rules.keptDecisions);
    this.streams = new EventStreams(rules.indexBytes);
    const { streams, ledger, liveness, router } = this;
    this.truth = new Truth({ streams, router, rules: rules.truth ?? noTruthRules });
    this.fleet = new Fleet({ streams, ledger, liveness, truth: this.truth });
  }

  /** Changes with every event, booking and report that was applied. */
  get stateVersion(): number {
    return this.#stateVersion;
  }

  indexOf(model: ModelHash, blockSize: number) {
    return this.streams.indexOf(model, blockSize);
  }

  /** Decides, and books the decision before anything else can be decided. */
  route(model: ModelHash, request: RouteRequest, moment: DecisionMoment): Result<Decision> {
    const decision = this.decide(model, request, moment);
    if (decision.ok) this.#take(request, decision.value, moment.nowMs);
    return decision;
  }

  /** Decides and books, as `route`; but where the worker that suits it best is full, or others wait for it, it tells so and changes nothing. */
  attempt(
    model: ModelHash,
    request: RouteRequest,
    moment: DecisionMoment & { readonly claims: Claims },
  ): Attempt {
    const decided = attemptOf(this.decide(model, request, moment));
    if (decided.kind === "refused") return decided;
    const { rank, isFull, workMs } = decided.decision;
    if (isFull) return { kind: "waits", rank: rank.key, workMs };
    this.#take(request, decided.decision, moment.nowMs);
    return decided;
  }

  /** Decides, and books nothing. */
  decide(model: ModelHash, request: RouteRequest, moment: DecisionMoment): Result<Decision> {
    const served = this.fleet.models.get(model);
    if (served === undefined) {
      return fail(
        "model_not_found",
        "Cannot place the request: no worker serves its model any more; see /v1/models",
      );
    }
    return decide(served, request, { ground: this, moment });
  }

  /** Ranks of a model that are not full. O(ranks). */
  room(model: ModelHash, nowMs: number): number {
    const ranks = this.fleet.models.get(model)?.ranks ?? [];
    if (this.busy === undefined) return ranks.length;
    return roomOf(ranks, this.busy, { nowMs, assumedRate: this.weights.ttft.assumedRate });
  }

  /** Applies a batch of KV events; nothing where its source is not known: a report then tells of its number. */
  events(batch: KvEventBatch, nowMs: number): StreamChange | undefined {
    this.truth.beforeBatch(batch);
    const change = this.streams.receive(batch, nowMs);
    this.truth.afterBatch(batch, nowMs);
    if (change?.result === "applied") this.#stateVersion += 1;
    return change;
  }

  /** Applies a message of KV events: as it lies where it is the next of its source, else decoded. Fails where it is damaged. */
  eventBytes(bytes: Uint8Array, nowMs: number): Result<StreamChange | undefined> {
    const head = this.#head;
    if (head.read(bytes)) {
      const opened = this.streams.find(head);
      if (opened?.stream.isNext(head) && this.truth.isQuiet) {
        const change = this.streams.receiveEncoded(opened, bytes, { head, nowMs });
        if (change !== undefined) {
          this.truth.moved(opened.key, nowMs);
          if (change.result === "applied") this.#stateVersion += 1;
          return ok(change);
        }
      }
    }
    const batch = decodeKvEvents(bytes);
    return batch.ok ? ok(this.events(batch.value, nowMs)) : batch;
  }

  /** Puts a snapshot in the place of what is known of its source. */
  swap(key: string, snapshot: KvEventBatch, nowMs: number) {
    this.#stateVersion += 1;
    this.truth.beforeSwap(key);
    const result = this.streams.get(key)?.stream.swap(snapshot, nowMs) ?? "needless" as const;
    this.truth.afterSwap(key, nowMs);
    return result;
  }

  /** Applies a heartbeat of KV events; returns why sources fell behind by it. Sources that are not known are passed over. */
  heartbeat({ owner, epoch, tier, streams }: KvHeartbeat, nowMs: number): GapCause[] {
    const causes: GapCause[] = [];
    for (const { model, dpRank, blockSize, number } of streams) {
      const key = sourceKey({ owner, model, dpRank, tier });
      const fell = this.streams.told(key, { epoch, blockSize, number }, nowMs);
      const stream = this.streams.get(key)?.stream;
      // Of another epoch its number says nothing about what is indexed.
      if (stream?.epoch === epoch) this.truth.reported(key, number, nowMs);
      if (fell !== undefined) causes.push(fell);
    }
    return causes;
  }

  /** Applies a load report. */
  report(report: LoadReport, nowMs: number): ReportChange {
    const rank = this.fleet.rankOf(report);
    if (rank === undefined) return { isKnown: false, lost: 0 };
    this.#stateVersion += 1;
    this.liveness.heard(report.instance, nowMs);
    rank.report = report;
    const { instance: owner, model, dpRank, kvEventNumber } = report;
    const key = sourceKey({ owner, model, dpRank, tier: "device" });
    this.truth.reported(key, kvEventNumber, nowMs);
    const fell = this.streams.reported(key, kvEventNumber, nowMs);
    return { isKnown: true, fell, lost: this.ledger.reported(report, nowMs) };
  }

  /** Applies a ledger entry. */
  entry(entry: LedgerEntry, nowMs: number): EntryResult {
    const result = this.ledger.apply(entry, nowMs);
    if (result === "applied") this.#stateVersion += 1;
    this.decisions.learn(entry, nowMs);
    if (entry.op === "book" && entry.session !== undefined && result !== "late") {
      const use = { rank: workerRankText(entry.worker), nowMs, ttlMs: entry.sessionTtlMs };
      this.sessions.put(entry.model, entry.session, use);
    }
    return result;
  }

  /** Books a decision. */
  #take(request: RouteRequest, decision: Decision, nowMs: number): void {
    const { rank, overlap } = decision;
    const served = this.fleet.models.get(rank.card.hash)!;
    this.#split(served, request, { decision, nowMs });
    this.#book(request, decision, nowMs);
    served.turn += 1;
    rank.lastTurn = served.turn;
    this.reach.placed(served, request, { blockSize: rank.card.blockSize, overlap });
  }

  #split(
    model: Model,
    request: RouteRequest,
    { decision, nowMs }: { readonly decision: Decision; readonly nowMs: number },
  ): void {
    if (this.split === undefined) return;
    const rules = this.split;
    const place = prefillPlace(model, request, { ground: this, rules, decode: decision, nowMs });
    if (place === undefined) return;
    decision.prefill = place;
    decision.trace.place.prefill = place;
  }

  /** Key of the only rank that may serve the request: the one its hard session is bound to. */
  boundTo(model: ModelHash, request: RouteRequest, nowMs: number): string | undefined {
    return hardSessionRank(model, request, { ground: this, nowMs });
  }

  /** Drops what is over by now: cards that left, decisions nobody confirmed, bookings of frontends that are gone. */
  sweep(nowMs: number): SweptBookings & { readonly cards: number } {
    this.truth.sweep(nowMs);
    const cards = this.fleet.sweep(nowMs);
    const bookings = this.ledger.sweep(nowMs);
    if (cards + bookings.unconfirmed + bookings.orphaned > 0) this.#stateVersion += 1;
    return { ...bookings, cards };
  }

  /** Throws where the books do not add up. */
  checkIntegrity(): void {
    this.streams.checkIntegrity();
    this.ledger.checkIntegrity();
    this.fleet.checkIntegrity();
    this.truth.checkIntegrity();
    this.decisions.checkIntegrity();
    this.reach.checkIntegrity();
  }

  #book(request: RouteRequest, decision: Decision, nowMs: number): void {
    const { rank, overlap, prefill } = decision;
    const { blockSize } = rank.card;
    const known = (overlap.device + overlap.host + overlap.disk) * blockSize;
    const { frontend } = request;
    const blocks = Math.ceil(request.isl / blockSize);
    const isSplit = prefill?.acts === true;
    const prefillTokens = isSplit ? 0 : Math.max(0, request.isl - known);
    this.ledger.decide(request, { worker: rank.worker, frontend, prefillTokens, blocks }, nowMs);
    if (isSplit) {
      const { requestId, attempt, leg } = request;
      const key = { requestId, attempt, leg: otherLeg(leg) };
      const { worker, tokens } = prefill;
      this.ledger.decide(key, { worker, frontend, prefillTokens: tokens, blocks }, nowMs);
    }
    this.#stateVersion += 1;
    const { hints } = request;
    if (hints?.session !== undefined) {
      const use = { rank: rank.key, nowMs, ttlMs: hints.sessionTtlMs };
      this.sessions.put(rank.card.hash, hints.session, use);
    }
    this.decisions.push(decision.trace);
    this.truth.placed(rank, request, nowMs);
  }
}
