import { flippingTo, keys, limits, missingRoles } from "@pixii/wire";
import type { DemandReport, InstanceId, ModelCard, ModelHash, ScaleRecord } from "@pixii/wire";
import type { ServiceGoal } from "./core/capacity/service_goal.ts";
import { DemandWindow } from "./core/demand_window.ts";
import type { Demand } from "./core/demand_window.ts";
import type { LoadWindow, WorkerLoad } from "./core/load_window.ts";
import type { SeenDemand, SeenModel, SeenWorker, WorkerState } from "./core/observation.ts";
import { ServedWindow } from "./core/served_window.ts";
import type { ProfileShelf } from "./profile_shelf.ts";
import type { RegistryView } from "./registry_view.ts";

/** Most models whose demand is kept; the one known longest makes room. */
const mostModels = 1024;
/** Tails are looked at over so many steps of the reactive loop. */
const tailSteps = 3;
/** Frontends repeat every second how many requests wait; a silent one's are forgotten after this. */
const waitsKeepMs = 3 * limits.demandEveryMs;
/** No word of a model for so many windows: its demand is not known. */
const silentWindows = 3;

interface Asked {
  /** Of the length of a reactive step: the core takes one rate a step. */
  readonly step: DemandWindow;
  readonly window: DemandWindow;
  readonly served: ServedWindow;
  heardMs: number;
  /** Requests that wait at each frontend for a worker of the model, as it said last. */
  readonly waits: Map<InstanceId, { readonly waiting: number; readonly heardMs: number }>;
}

/** What an observer looks at. */
export interface ObserverParts {
  readonly load: LoadWindow;
  readonly view: RegistryView;
  readonly profiles: ProfileShelf;
  readonly namespace: string;
  readonly windowMs: number;
  readonly reactiveMs: number;
  /** A worker that was asked for and is not there after this is not counted on any more. */
  readonly startTimeoutMs: number;
  /** What is promised: late streams are counted by it. */
  readonly goal?: ServiceGoal;
}

/** Makes what the core sees out of load reports, demand reports and the registry. Time comes with each call. */
export class Observer {
  readonly #parts: ObserverParts;
  readonly #asked = new Map<ModelHash, Asked>();
  /** When each model's scale record was first seen. */
  readonly #scaled = new Map<ModelHash, { readonly id: string; readonly atMs: number }>();

  /** When each model was last asked for, or seen at work. */
  readonly #usedMs = new Map<ModelHash, number>();

  constructor(parts: ObserverParts) {
    this.#parts = parts;
  }

  /** Models that anything was asked of. */
  get asked(): Iterable<ModelHash> {
    return this.#asked.keys();
  }

  /** Takes a frontend's report. True where requests wait for a model that sleeps: it is to be woken now. */
  demand(report: DemandReport, nowMs: number): boolean {
    let calls = false;
    for (const one of report.models) {
      const asked = this.#askedOf(one.model);
      asked.heardMs = nowMs;
      asked.step.add(one, nowMs);
      asked.window.add(one, nowMs);
      if (one.served !== undefined) asked.served.add(one.served, nowMs);
      const waiting = one.waiting ?? 0;
      if (waiting === 0) asked.waits.delete(report.frontend);
      else asked.waits.set(report.frontend, { waiting, heardMs: nowMs });
      this.#usedMs.set(one.model, nowMs);
      calls ||= waiting > 0 && this.#scaleOf(one.model)?.workers === 0;
    }
    return calls;
  }

  /** What was asked of a model over the window. */
  demandOf(model: ModelHash, nowMs: number): Demand {
    return (this.#asked.get(model)?.window ?? new DemandWindow(2)).demand(nowMs);
  }

  /** Every model, those that sleep too, as the core wants it. */
  models(nowMs: number): readonly SeenModel[] {
    const { view, load, profiles } = this.#parts;
    const all = load.workers(nowMs);
    return [...view.names].sort(([, a], [, b]) => a < b ? -1 : 1).map(([hash, model]) => {
      const cards = [...view.cards.values()].filter((card) => card.hash === hash);
      const mine = all.filter(({ report }) => report.model === hash);
      const there = mine.map((one) => this.#workerOf(one, hash));
      const workers = [...there, ...this.#starting(there, { cards, hash, nowMs })];
      const known = cards.length > 0 ? cards : view.cardsOf(hash);
      const [card] = known;
      return {
        ...{ model, workers, demand: this.#seenDemand(hash, mine, nowMs) },
        ...{ times: profiles.timesOf(known), idleMs: this.#idleMs(hash, mine, nowMs) },
        maxSeqs: card.maxSeqs,
        kvTokens: card.totalBlocks * card.blockSize,
      };
    });
  }

  /** Since when nothing was asked of a model; one that is new here counts as asked for now. */
  #idleMs(hash: ModelHash, workers: readonly WorkerLoad[], nowMs: number): number {
    const isBusy = workers.some(({ report }) => report.running + report.waiting > 0);
    const usedMs = isBusy ? nowMs : this.#usedMs.get(hash) ?? nowMs;
    this.#usedMs.set(hash, usedMs);
    if (this.#usedMs.size > mostModels) this.#usedMs.delete(this.#usedMs.keys().next().value!);
    return nowMs - usedMs;
  }

  #workerOf({ report, stale }: WorkerLoad, hash: ModelHash): SeenWorker {
    const { instance, dpRank, running, waiting, activeBlocks, cachedBlocks, totalBlocks } = report;
    const wished = this.#wishOf(report);
    const going = this.#scaleOf(hash)?.stop.includes(instance) ?? false;
    // One that was told to go is no longer heard of at its end: it does not come back.
    const state: WorkerState = report.draining || going
      ? "draining"
      : stale
      ? "stale"
      : wished !== undefined
      ? "flipping"
      : "live";
    return {
      ...{ rank: { instance, dpRank }, role: wished ?? report.role, state, running, waiting },
      ...{ activeBlocks, cachedBlocks, totalBlocks },
    };
  }

  /** The role that a worker is on its way to, or was asked to go to and has not said anything about yet. */
  #wishOf(report: WorkerLoad["report"]): SeenWorker["role"] | undefined {
    const now = flippingTo(report);
    if (now !== undefined) return now;
    const { view, namespace } = this.#parts;
    const wish = view.desired.get(keys(namespace).desired(report.instance));
    if (wish === undefined || wish.id === report.flip?.id || wish.role === report.role) {
      return undefined;
    }
    return wish.role;
  }

  #scaleOf(hash: ModelHash): ScaleRecord | undefined {
    const { view, namespace } = this.#parts;
    return view.scales.get(keys(namespace).scale(hash));
  }

  /** Workers that were asked for and are not there yet. */
  #starting(
    workers: readonly SeenWorker[],
    at: { readonly cards: readonly ModelCard[]; readonly hash: ModelHash; readonly nowMs: number },
  ): readonly SeenWorker[] {
    const { cards, hash, nowMs } = at;
    const scale = this.#scaleOf(hash);
    if (scale === undefined) return [];
    const known = this.#scaled.get(hash);
    const first = known?.id === scale.id ? known : { id: scale.id, atMs: nowMs };
    this.#scaled.set(hash, first);
    // Until then the record is a standing order, that whoever starts workers follows again where one dies, a woken one too: the
    // same wish anew would tell nobody anything. Behind it a new record gives those that were given up another try.
    if (nowMs - first.atMs > this.#parts.startTimeoutMs) return [];
    // A worker's first report and its card come in any order.
    const there = workers.filter(({ state }) => state !== "draining");
    const ids = new Set(there.map(({ rank }) => rank.instance));
    for (const { instance } of cards) if (!scale.stop.includes(instance)) ids.add(instance);
    const count = Math.max(0, scale.workers - ids.size);
    const roles = missingRoles(scale, { there: there.map(({ role }) => role), count });
    return roles.map((role, i): SeenWorker => ({
      rank: { instance: i.toString(16).padStart(16, "0") as InstanceId, dpRank: 0 },
      ...{ role, state: "starting", running: 0, waiting: 0 },
      ...{ activeBlocks: 0, cachedBlocks: 0, totalBlocks: 0 },
    }));
  }

  #seenDemand(
    hash: ModelHash,
    workers: readonly WorkerLoad[],
    nowMs: number,
  ): SeenDemand | undefined {
    const { windowMs, reactiveMs, goal } = this.#parts;
    const asked = this.#asked.get(hash);
    if (asked === undefined) return undefined;
    // Frontends say nothing while nothing happens: silence is no demand at first, later it is no word.
    if (nowMs - asked.heardMs > silentWindows * windowMs) return undefined;
    const { requestRate, completionRate, prefillTokenRate } = asked.step.demand(nowMs);
    const mix = asked.served.mix(nowMs);
    const tailMs = tailSteps * reactiveMs;
    const tail = asked.served.mix(nowMs, tailMs);
    for (const [frontend, { heardMs }] of asked.waits) {
      if (nowMs - heardMs > waitsKeepMs) asked.waits.delete(frontend);
    }
    const atWorkers = workers.reduce((sum, one) => sum + (one.stale ? 0 : one.report.waiting), 0);
    const waiting = [...asked.waits.values()].reduce((sum, one) => sum + one.waiting, atWorkers);
    return {
      ...{ windowMs: reactiveMs, rate: requestRate, doneRate: completionRate, waiting },
      isl: mix?.promptTokens,
      newTokens: requestRate > 0 ? prefillTokenRate / requestRate : undefined,
      osl: mix?.outputTokens,
      ...(goal === undefined ? {} : asked.served.late(nowMs, tailMs, goal)),
      ...(tail?.ttftP95Ms === undefined ? {} : { ttftP95Ms: tail.ttftP95Ms }),
      ...(tail?.itlP95Ms === undefined ? {} : { itlP95Ms: tail.itlP95Ms }),
      ...(mix === undefined ? {} : { hitRate: mix.hitRate }),
    };
  }

  #askedOf(model: ModelHash): Asked {
    const known = this.#asked.get(model);
    if (known !== undefined) return known;
    if (this.#asked.size === mostModels) this.#asked.delete(this.#asked.keys().next().value!);
    const { windowMs, reactiveMs } = this.#parts;
    const made = {
      step: new DemandWindow(1 + Math.max(1, Math.round(reactiveMs / 1000))),
      window: new DemandWindow(1 + Math.max(1, Math.round(windowMs / 1000))),
      served: new ServedWindow(windowMs),
      heardMs: 0,
      waits: new Map(),
    };
    this.#asked.set(model, made);
    return made;
  }
}
