import { keys, modelHashOf } from "@pixii/wire";
import type {
  InstanceId,
  KvEvent,
  ModelCard,
  PolicyName,
  RequestId,
  RouteRequest,
  WorkerProfile,
  WorkerRank,
} from "@pixii/wire";
import { RouteDesk, RouterState } from "@pixii/router/core";
import type { Decision, QueueRules, RouterRules } from "@pixii/router/core";
import type { JobSink, ReplayJob, ReplayWorker } from "./replay_job.ts";
import type { Trace } from "./replay_request.ts";
import { DurationHistogram, skewOf, summaryOf } from "./tally.ts";
import type { DurationSummary } from "./tally.ts";

/** Policies of a replay: the router's, and `least-queue`: `ttft` that is told no hashes, so it sees queues only. */
export type ReplayPolicy = PolicyName | "least-queue";

/** What a replay is made of. */
export interface FleetParts {
  readonly trace: Trace;
  readonly policy: ReplayPolicy;
  readonly workers: number;
  readonly capacityBlocks: number;
  readonly maxSeqs: number;
  /** How much faster than recorded requests come. */
  readonly rate: number;
  readonly rules: Omit<RouterRules, "router" | "policy">;
  /** Where set, requests may wait at the router. */
  readonly queue: QueueRules | undefined;
  readonly profile: WorkerProfile;
  /** Numbers in [0, 1): the router's luck. */
  readonly draw: () => number;
  worker(sink: JobSink): ReplayWorker;
}

/** What came of a replay. */
export interface FleetResult {
  readonly policy: ReplayPolicy;
  readonly requests: number;
  /** Requests that no worker could take. */
  readonly refused: number;
  /** Prompt tokens that were cached, of all. */
  readonly hitRatio: number;
  readonly ttft: DurationSummary;
  readonly itl: DurationSummary & { readonly count: number };
  /** Requests of the busiest worker against the mean, and the same of computing time. */
  readonly requestSkew: number;
  readonly workSkew: number;
  /** Computing time of all workers against the time of the replay. */
  readonly busyShare: number;
  /** Milliseconds to the first token by request, NaN where refused. */
  readonly ttftMs: Float64Array;
}

const model = "replay";
const modelHash = modelHashOf(model);
const frontend = "00000000000000f0" as InstanceId;
/** Longer than any silence of a live worker: heard of at every arrival. */
const routerInstance = "00000000000000f1" as InstanceId;

interface Place {
  readonly worker: ReplayWorker;
  readonly rank: WorkerRank;
  requests: number;
}

/** Runs the router's core over simulated workers in virtual time. Same parts, same result, bit for bit. */
export class FleetReplay {
  readonly #parts: FleetParts;
  readonly #router: RouterState;
  readonly #desk: RouteDesk | undefined;
  /** Those that wait at the desk, by request id. */
  readonly #waiting = new Map<RequestId, ReplayJob>();
  readonly #places: Place[];
  readonly #byInstance = new Map<InstanceId, Place>();
  readonly #ttftMs: Float64Array;
  readonly #gaps = new DurationHistogram();
  #cachedTokens = 0;
  #inputTokens = 0;
  #refused = 0;
  #nowMs = -Infinity;
  #endMs = 0;

  constructor(parts: FleetParts) {
    this.#parts = parts;
    const policy = parts.policy === "least-queue" ? "ttft" : parts.policy;
    const busy = parts.queue?.busy;
    this.#router = new RouterState({ ...parts.rules, router: routerInstance, policy, busy });
    if (parts.queue !== undefined) this.#desk = new RouteDesk(this.#router, parts.queue);
    this.#ttftMs = new Float64Array(parts.trace.requests.length).fill(NaN);
    this.#places = Array.from({ length: parts.workers }, (_, i) => this.#open(i + 1));
  }

  /** Replays the whole trace. */
  run(): FleetResult {
    const { trace, rate } = this.#parts;
    trace.requests.forEach((request, index) => {
      const atMs = request.atMs / rate;
      this.#goTo(atMs);
      this.#place({ request, index, atMs, placedMs: atMs });
    });
    this.#goTo(Infinity);
    return this.#result();
  }

  /** Throws where anybody's books do not add up. */
  checkIntegrity(): void {
    this.#router.checkIntegrity();
    this.#desk?.checkIntegrity();
    for (const { worker } of this.#places) worker.checkIntegrity();
  }

  /** Lets everything happen up to and at a time; while somebody waits at the router, one end after the other. */
  #goTo(atMs: number): void {
    while (this.#waiting.size > 0) {
      const nextMs = Math.min(
        ...this.#places.map(({ worker }) => worker.nextMs),
        this.#desk!.nextReadyMs(this.#nowMs),
      );
      if (nextMs > atMs || nextMs === Infinity) break;
      this.#advance(nextMs);
      this.#pass(nextMs);
    }
    this.#advance(atMs);
  }

  #advance(atMs: number): void {
    this.#nowMs = atMs;
    for (const { worker, rank } of this.#places) {
      worker.advance(atMs);
      if (atMs < Infinity) this.#router.liveness.heard(rank.instance, atMs);
    }
  }

  #pass(nowMs: number): void {
    for (const { waiting, outcome } of this.#desk!.pass({ nowMs, draw: this.#parts.draw })) {
      const { requestId } = waiting.request;
      const job = this.#waiting.get(requestId)!;
      this.#waiting.delete(requestId);
      if (outcome.kind === "refused") this.#refused += 1;
      else this.#submit({ ...job, placedMs: nowMs }, outcome.decision);
    }
  }

  #place(job: ReplayJob): void {
    this.#inputTokens += job.request.inputTokens;
    const request = this.#requestOf(job);
    const moment = { nowMs: job.atMs, draw: this.#parts.draw };
    if (this.#desk === undefined) {
      const decision = this.#router.route(modelHash, request, moment);
      if (decision.ok) this.#submit(job, decision.value);
      else this.#refused += 1;
      return;
    }
    const outcome = this.#desk.route(modelHash, request, moment);
    if (outcome.kind === "placed") this.#submit(job, outcome.decision);
    else if (outcome.kind === "refused") this.#refused += 1;
    else this.#waiting.set(request.requestId, job);
  }

  #requestOf({ request, index }: ReplayJob): RouteRequest {
    const { blockSize } = this.#parts.trace;
    const { inputTokens, outputTokens, list, session } = request;
    const isBlind = this.#parts.policy === "least-queue";
    return {
      ...{ requestId: requestIdOf(index), attempt: 0, leg: 0, frontend },
      ...{ isl: inputTokens, maxTokens: outputTokens, remainingMs: 1e9 },
      hashes: isBlind ? [] : [{ blockSize, list }],
      ...(session === undefined || isBlind ? {} : { hints: { session } }),
    };
  }

  #submit(job: ReplayJob, decision: Decision): void {
    const place = this.#byInstance.get(decision.rank.worker.instance)!;
    place.requests += 1;
    place.worker.submit(job);
  }

  #open(number: number): Place {
    const instance = number.toString(16).padStart(16, "0") as InstanceId;
    const card = this.#card(instance);
    this.#router.fleet.put(keys("default").model(modelHash, instance), card, 0);
    const sink: JobSink = {
      events: (events, atMs) => this.#events(instance, events, atMs),
      firstToken: (job, atMs, cachedTokens) => {
        this.#ttftMs[job.index] = atMs - job.atMs;
        this.#cachedTokens += cachedTokens;
        this.#entry("first-token", job, atMs);
      },
      ended: (job, atMs) => {
        this.#endMs = Math.max(this.#endMs, atMs);
        this.#entry("complete", job, atMs);
      },
      tokens: (gapMs, count) => this.#gaps.add(gapMs, count),
    };
    const worker = this.#parts.worker(sink);
    const place = { worker, rank: { instance, dpRank: 0 }, requests: 0 };
    this.#byInstance.set(instance, place);
    return place;
  }

  readonly #numbers = new Map<InstanceId, number>();

  #events(owner: InstanceId, events: readonly KvEvent[], atMs: number): void {
    if (events.length === 0) return;
    const number = (this.#numbers.get(owner) ?? 0) + 1;
    this.#numbers.set(owner, number);
    const { blockSize } = this.#parts.trace;
    this.#router.events({
      ...{ owner, epoch: owner, model: modelHash, dpRank: 0, tier: "device", cacheGroup: 0 },
      ...{ blockSize, number, events },
    }, atMs);
  }

  #entry(op: "first-token" | "complete", job: ReplayJob, atMs: number): void {
    this.#router.entry({ op, requestId: requestIdOf(job.index), attempt: 0, leg: 0 }, atMs);
  }

  #card(instance: InstanceId): ModelCard {
    const { trace, capacityBlocks, maxSeqs, profile } = this.#parts;
    const { blockSize } = trace;
    return {
      ...{ name: model, hash: modelHash, instance, engine: "sim", role: "both" },
      ...{ modelDigest: "", contextLength: capacityBlocks * blockSize, blockSize },
      ...{ totalBlocks: capacityBlocks, kvBytesPerToken: 1, layoutFingerprint: "" },
      ...{ reuse: "blocks", dpSize: 1, tpSize: 1, slidingWindow: 0, maxSeqs, vocabSize: 1 },
      ...{ artifactDigest: "", artifactBytes: 0, eosTokenIds: [], createdAt: 0, profile },
    };
  }

  #result(): FleetResult {
    const { policy, trace, workers } = this.#parts;
    const done = this.#ttftMs.filter((ms) => !Number.isNaN(ms));
    const busy = this.#places.map(({ worker }) => worker.busyMs);
    const gaps = this.#gaps;
    return {
      ...{ policy, requests: trace.requests.length, refused: this.#refused },
      hitRatio: this.#cachedTokens / Math.max(1, this.#inputTokens),
      ttft: summaryOf(done),
      itl: {
        ...{ count: gaps.count, meanMs: gaps.meanMs, p50Ms: gaps.quantileMs(0.5) },
        ...{ p90Ms: gaps.quantileMs(0.9), p99Ms: gaps.quantileMs(0.99) },
      },
      requestSkew: skewOf(this.#places.map((place) => place.requests)),
      workSkew: skewOf(busy),
      busyShare: busy.reduce((sum, ms) => sum + ms, 0) / Math.max(1, workers * this.#endMs),
      ttftMs: this.#ttftMs,
    };
  }
}

function requestIdOf(index: number): RequestId {
  return index.toString(16).padStart(32, "0") as RequestId;
}
