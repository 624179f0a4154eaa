import { decodeRouteRequest, encode, fail, routerQueue, subjects as subjectsOf } from "@pixii/wire";
import type { Failure, ModelHash, RouteReply, RouteRequest, Subjects } from "@pixii/wire";
import type { ServiceContext, Subscription } from "@pixii/runtime";
import type { Decision } from "./core/decide.ts";
import { peerRun } from "./core/peer_run.ts";
import type { RouteDesk, RouteOutcome, Settled } from "./core/route_desk.ts";
import type { RouterState } from "./core/router_state.ts";
import type { Waiting } from "./core/waiting.ts";
import type { RouterMetrics } from "./metrics.ts";
import { Prefetcher } from "./prefetcher.ts";

/** The record stays here, in the ring: who wants it asks this router (`/v1/pixii/decisions/{id}`). */
const noRecord = new Uint8Array();

/** What the route server works with. */
export interface RouteServerParts {
  readonly context: ServiceContext;
  readonly state: RouterState;
  readonly desk: RouteDesk;
  readonly metrics: RouterMetrics;
  /** A request was told that it waits. */
  readonly onQueued: () => void;
}

/** Serves `route.<model>` of every model that has workers. */
export class RouteServer implements Disposable {
  readonly #context: ServiceContext;
  readonly #state: RouterState;
  readonly #desk: RouteDesk;
  readonly #onQueued: () => void;
  readonly #metrics: RouterMetrics;
  readonly #subjects: Subjects;
  readonly #routes = new Map<ModelHash, Subscription>();
  readonly #draw: () => number;
  readonly #prefetcher: Prefetcher;
  #isClosed = false;

  constructor({ context, state, desk, metrics, onQueued }: RouteServerParts) {
    this.#context = context;
    this.#state = state;
    this.#desk = desk;
    this.#onQueued = onQueued;
    this.#metrics = metrics;
    this.#subjects = subjectsOf(context.namespace);
    this.#prefetcher = new Prefetcher(context, (request, decision) => {
      const model = state.fleet.models.get(decision.rank.card.hash);
      return model && peerRun(model, request, { decision, weights: state.weights });
    });
    this.#draw = () => context.chance.float();
  }

  /** Serves exactly the models that have workers; call it when they change. */
  follow(): void {
    const { models } = this.#state.fleet;
    const { bus, log } = this.#context;
    for (const [hash, subscription] of this.#routes) {
      if (models.has(hash)) continue;
      subscription[Symbol.dispose]();
      this.#routes.delete(hash);
      log.info("a model has no workers any more", { hash });
    }
    if (this.#isClosed) return;
    for (const { hash, name } of models.values()) {
      if (this.#routes.has(hash)) continue;
      const handler = (payload: Uint8Array) => this.#route(hash, payload);
      const subject = this.#subjects.route(hash);
      this.#routes.set(hash, bus.serve(subject, handler, { queue: routerQueue }));
      log.info("a model is routed", { model: name });
    }
  }

  /** Takes no more requests. Idempotent. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const subscription of this.#routes.values()) subscription[Symbol.dispose]();
    this.#routes.clear();
  }

  /** Decode, decide and book, encode: nothing waits in between, so each decision sees the one before. */
  #route(model: ModelHash, payload: Uint8Array): Uint8Array {
    const { clock } = this.#context;
    const nowMs = clock.nowMs();
    const request = decodeRouteRequest(payload);
    if (!request.ok) return this.#refuse(request.error);
    if (request.value.remainingMs === 0) {
      return this.#refuse(fail("timeout", "Cannot place the request: its time is over").error);
    }
    const moment = { nowMs, wallMs: clock.wallMs(), draw: this.#draw };
    const outcome = this.#desk.route(model, request.value, moment);
    const reply = encode("routeReply", this.#replyOf(request.value, outcome));
    if (outcome.kind === "queued") this.#onQueued();
    else this.#metrics.decisionSeconds.observe((clock.nowMs() - nowMs) / 1000);
    return reply;
  }

  /** The answer to a request that waited, encoded and counted. */
  settled({ request }: Waiting, outcome: Settled["outcome"]): Uint8Array {
    return encode("routeReply", this.#replyOf(request, outcome));
  }

  #replyOf(request: RouteRequest, outcome: RouteOutcome): RouteReply {
    if (outcome.kind === "refused") return this.#refusal(outcome.error);
    if (outcome.kind === "queued") {
      const { ahead } = outcome;
      this.#metrics.queued.add();
      return { kind: "queued", router: this.#context.instance, ahead };
    }
    const { rank, overlap, prefill } = outcome.decision;
    const { worker, card: { blockSize } } = rank;
    this.#count(request, outcome.decision);
    const { blocks, peer } = this.#prefetcher.decided(request, outcome.decision);
    this.#metrics.prefetchBlocks.add(blocks);
    const decision = { kind: "decision" as const, worker, overlap, blockSize, record: noRecord };
    if (peer !== undefined) return { ...decision, peer: { kvbm: peer.kvbm, blocks: peer.blocks } };
    if (prefill?.acts !== true) return decision;
    return { ...decision, prefill: { worker: prefill.worker, overlap: prefill.overlap } };
  }

  #refusal(error: Failure): RouteReply {
    this.#metrics.refusals.add(1, { code: error.code });
    return { kind: "refused", error };
  }

  #refuse(error: Failure): Uint8Array {
    return encode("routeReply", this.#refusal(error));
  }

  #count(request: RouteRequest, { rank, overlap, trace }: Decision): void {
    const { decisions, overlapBlocks, promptBlocks, hitRate } = this.#metrics;
    decisions.add(1, { policy: trace.policy, model: trace.place.model.name });
    const blocks = Math.floor(request.isl / rank.card.blockSize);
    promptBlocks.add(blocks);
    const { device, host, disk } = overlap;
    if (device > 0) overlapBlocks.add(device, { tier: "device" });
    if (host > 0) overlapBlocks.add(host, { tier: "host" });
    if (disk > 0) overlapBlocks.add(disk, { tier: "disk" });
    if (blocks > 0) hitRate.observe(Math.min(1, (device + host + disk) / blocks));
  }
}
