import { decode, encodeRouteRequest, fail, maxRouteBlocks, routeHashes } from "@pixii/wire";
import type {
  BlockHolder,
  Failure,
  InstanceId,
  ModelCard,
  Overlap,
  RouteHints,
  RouteReply,
  StreamKey,
  Subjects,
  WorkerRank,
} from "@pixii/wire";
import type { Bus, Chance, Clock, Log } from "@pixii/runtime";
import { pickFallback } from "../core/fallback_pick.ts";
import type { GenerationMetrics } from "./generation_metrics.ts";
import type { ServedModel } from "./model_directory.ts";
import type { PrefillPlacement } from "./prefill_leg.ts";
import { QueueWaits } from "./queue_waits.ts";
import type { WorkerView } from "./worker_view.ts";

/** A router that has not answered within this is down. */
const routeTimeoutMs = 1_000;
/** After a silent router, requests go without one for this long. */
const routerRestMs = 2_000;
/** Most block sizes of one model that are hashed: what a route request can carry. */
const mostBlockSizes = 8;

/** What must be placed. */
export interface RouteAsk {
  readonly key: StreamKey;
  readonly model: ServedModel;
  /** Prompt and former output. */
  readonly tokens: Uint32Array;
  /** Output tokens still to come. */
  readonly maxTokens: number;
  readonly remainingMs: number;
  readonly tenantSalt: string;
  readonly hints: RouteHints;
}

/** Where the stream goes, and what it takes there. */
export interface Placement {
  readonly worker: WorkerRank;
  /** Prompt tokens that must be computed. */
  readonly prefillTokens: number;
  readonly blocks: number;
  /** Another worker that computes the prompt. */
  readonly prefill?: PrefillPlacement;
  /** Another host's block manager that has more of it. */
  readonly holder?: BlockHolder;
}

/**
 * `isKeySpent`: a router may have booked under this key without our knowing; it must be released and not used again.
 * `hasWaited`: it was in a router's queue, which says nothing about how long workers have been missing.
 */
export type RouteAnswer =
  & { readonly isKeySpent: boolean; readonly hasWaited?: boolean }
  & ({ readonly placed: Placement } | {
    readonly placed: undefined;
    readonly failure: Failure;
  });

/** Asks a router, and does without where none answers. */
export class RouteClient implements Disposable {
  readonly #options: {
    readonly bus: Bus;
    readonly clock: Clock;
    readonly chance: Chance;
    readonly log: Log;
    readonly subjects: Subjects;
    readonly frontend: InstanceId;
    readonly workers: WorkerView;
    readonly metrics: GenerationMetrics;
    /** The model's cards as they are now: a long stream's own may be old. */
    readonly cards: (model: ServedModel) => readonly ModelCard[];
    /** Our own streams now at a worker. */
    readonly inFlight: (worker: InstanceId) => number;
  };
  readonly #waits: QueueWaits;
  #restUntilMs = -Infinity;
  #isOut = false;

  constructor(options: {
    bus: Bus;
    clock: Clock;
    chance: Chance;
    log: Log;
    subjects: Subjects;
    frontend: InstanceId;
    workers: WorkerView;
    metrics: GenerationMetrics;
    cards: (model: ServedModel) => readonly ModelCard[];
    inFlight: (worker: InstanceId) => number;
  }) {
    this.#options = options;
    this.#waits = new QueueWaits(options);
  }

  /** Gives up what waits in routers' queues. */
  [Symbol.dispose](): void {
    this.#waits[Symbol.dispose]();
  }

  /** Places a stream. Fails with what the router said, `no_worker`, `bus_unavailable` or `cancelled`. */
  async place(ask: RouteAsk, signal: AbortSignal): Promise<RouteAnswer> {
    const { bus, clock, subjects, metrics } = this.#options;
    const startMs = clock.nowMs();
    if (startMs < this.#restUntilMs) return this.#fallback(ask, "resting", false);
    const payload = this.#payload(ask);
    const timeoutMs = Math.min(routeTimeoutMs, Math.max(1, ask.remainingMs));
    const reply = await bus.request(subjects.route(ask.model.hash), payload, {
      ...{ timeoutMs, signal, isOwned: true },
    });
    if (!reply.ok) {
      const { code } = reply.error;
      if (code === "no_responders") return this.#fallback(ask, code, false);
      if (code === "timeout") {
        this.#restUntilMs = clock.nowMs() + routerRestMs;
        return this.#fallback(ask, code, true);
      }
      return { isKeySpent: true, placed: undefined, failure: reply.error };
    }
    const answer = decode("routeReply", reply.value);
    if (!answer.ok) return this.#fallback(ask, answer.error.code, true);
    metrics.routeSeconds.observe((clock.nowMs() - startMs) / 1000);
    this.#back();
    if (answer.value.kind === "queued") return this.#queued(ask, answer.value.router, signal);
    return this.#read(ask, answer.value);
  }

  /** Every worker is full: the router answers when one has room, or says why not. */
  async #queued(ask: RouteAsk, router: InstanceId, signal: AbortSignal): Promise<RouteAnswer> {
    const { clock, metrics } = this.#options;
    const startMs = clock.nowMs();
    const end = await this.#waits.wait(ask.key, router, signal);
    metrics.queued.add(1, { end: end.kind });
    metrics.queueSeconds.observe((clock.nowMs() - startMs) / 1000);
    if (end.kind === "reply" && end.reply.kind !== "queued") {
      return { ...this.#read(ask, end.reply), hasWaited: true };
    }
    const failure = end.kind === "cancelled"
      ? fail("cancelled", "Cannot place the request: it was given up while it waited").error
      : fail("router_unavailable", "Cannot place the request: its router fell silent").error;
    return { isKeySpent: true, hasWaited: true, placed: undefined, failure };
  }

  #payload(ask: RouteAsk): Uint8Array {
    const { key, model, tokens, tenantSalt, maxTokens, remainingMs, hints } = ask;
    const cards = this.#options.cards(model);
    const sizes = [...new Set(cards.map((card) => card.blockSize))].slice(0, mostBlockSizes);
    const maxBlocks = Math.floor(maxRouteBlocks / sizes.length);
    const hashes = sizes.map((blockSize) => ({
      blockSize,
      list: routeHashes(tokens, { blockSize, tenantSalt, maxBlocks }),
    }));
    return encodeRouteRequest({
      ...key,
      frontend: this.#options.frontend,
      isl: tokens.length,
      maxTokens,
      remainingMs,
      hashes,
      hints,
    });
  }

  #read(ask: RouteAsk, reply: Exclude<RouteReply, { kind: "queued" }>): RouteAnswer {
    if (reply.kind === "refused") {
      return { isKeySpent: false, placed: undefined, failure: reply.error };
    }
    const { worker, overlap, blockSize, prefill, peer } = reply;
    this.#options.workers.started(worker.instance);
    const isl = ask.tokens.length;
    const blocks = Math.ceil(isl / Math.max(1, blockSize));
    const left = ({ device, host, disk }: Overlap) =>
      Math.max(0, isl - (device + host + disk) * blockSize);
    const holder = peer && { kvbm: peer.kvbm, first: overlap.device, end: peer.blocks };
    const placed = { worker, prefillTokens: left(overlap), blocks, holder };
    if (prefill === undefined) return { isKeySpent: false, placed };
    this.#options.workers.started(prefill.worker.instance);
    const other = { worker: prefill.worker, prefillTokens: left(prefill.overlap), blocks };
    return { isKeySpent: false, placed: { ...placed, prefill: other } };
  }

  #fallback(ask: RouteAsk, reason: string, isKeySpent: boolean): RouteAnswer {
    const { workers, chance, metrics, log, inFlight } = this.#options;
    const cards = this.#options.cards(ask.model);
    if (ask.hints.sessionMode === "hard") {
      const text = "no router answers, and only a router knows the worker of a hard session";
      const { error } = fail("router_unavailable", `Cannot place the request: ${text}; try again`);
      return { isKeySpent, placed: undefined, failure: error };
    }
    metrics.fallback.add();
    if (!this.#isOut) {
      this.#isOut = true;
      log.warn("no router answers: placing requests by requests in flight", { reason });
    }
    const candidates = cards.map((card) => {
      const load = workers.load(card.instance);
      const own = inFlight(card.instance);
      return {
        card,
        requests: Math.max(own, load.requests),
        isOpen: !load.draining && workers.state(card.instance) === "live",
      };
    });
    const picked = pickFallback(candidates, ask.hints, () => chance.float());
    if (!picked.ok) return { isKeySpent, placed: undefined, failure: picked.error };
    // Counted at once: the next decision may be made before this stream is sent.
    workers.started(picked.value.instance);
    const card = cards.find((one) => one.instance === picked.value.instance)!;
    const isl = ask.tokens.length;
    const blocks = Math.ceil(isl / card.blockSize);
    return { isKeySpent, placed: { worker: picked.value, prefillTokens: isl, blocks } };
  }

  #back(): void {
    if (!this.#isOut) return;
    this.#isOut = false;
    this.#options.log.info("a router answers again");
  }
}
