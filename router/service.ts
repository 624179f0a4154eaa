import { subjects as subjectsOf } from "@pixii/wire";
import type { InstanceId } from "@pixii/wire";
import { StartError } from "@pixii/runtime";
import type { Health, Service, ServiceContext, ServiceSpec } from "@pixii/runtime";
import { routerSchema, rulesOf } from "./config.ts";
import type { RouterConfig } from "./config.ts";
import { RouteDesk } from "./core/route_desk.ts";
import { RouterState } from "./core/router_state.ts";
import { DecisionFile } from "./decision_file.ts";
import { decisionRoutes } from "./decision_views.ts";
import { setGauges, setQueueGauges, sourceCounts } from "./gauges.ts";
import { routerMetrics } from "./metrics.ts";
import type { RouterMetrics } from "./metrics.ts";
import { watchRegistry } from "./registry_watch.ts";
import { QueueClerk } from "./queue_clerk.ts";
import { queueRulesOf } from "./queue_options.ts";
import { queueView } from "./queue_view.ts";
import { ReachMeter } from "./reach_meter.ts";
import { RouteServer } from "./route_server.ts";
import { SnapshotKeeper } from "./snapshot_keeper.ts";
import { StateFeed } from "./state_feed.ts";
import { TruthKeeper } from "./truth_keeper.ts";
import { replicaView } from "./truth_view.ts";
import { indexView, rankState, workersView } from "./views.ts";

/** The shell: events, reports, ledger and cards in (`StateFeed`, `watchRegistry`), decisions out (`RouteServer`). */
class Router implements Service {
  readonly adminRoutes = {
    ...decisionRoutes(() => this.#state),
    "/queue": () => queueView(this.#desk, this.#state, this.#context.clock.nowMs()),
    "/index": () => indexView(this.#state),
    "/replica": () => replicaView(this.#state, this.#peers),
    "/workers": () => workersView(this.#state, this.#context.clock.nowMs()),
  };
  readonly #context: ServiceContext;
  readonly #state: RouterState;
  readonly #metrics: RouterMetrics;
  readonly #snapshots: SnapshotKeeper;
  readonly #desk: RouteDesk;
  readonly #routes: RouteServer;
  readonly #clerk: QueueClerk;
  readonly #peers = new Set<InstanceId>();
  readonly #truth: TruthKeeper;
  readonly #file: DecisionFile | undefined;
  readonly #open = new DisposableStack();
  #isDraining = false;

  constructor(config: RouterConfig, context: ServiceContext) {
    const { bus, clock, log, namespace } = context;
    this.#context = context;
    this.#metrics = routerMetrics(context.metrics);
    this.#state = new RouterState(rulesOf(config, context.instance));
    const { state, metrics } = { state: this.#state, metrics: this.#metrics };
    if (config["decisions.file"] !== "") {
      const [path, maxBytes] = [config["decisions.file"], config["decisions.file-bytes"]];
      this.#file = new DecisionFile({ clock, log, metrics, path, maxBytes });
      state.decisions.listen(this.#file);
    }
    this.#snapshots = this.#open.use(
      new SnapshotKeeper({ bus, clock, log, subjects: subjectsOf(namespace), state, metrics }),
    );
    this.#truth = this.#open.use(
      new TruthKeeper({
        ...{ context, state, metrics, snapshots: this.#snapshots, peers: this.#peers },
        ...{ file: config["snapshot.file"], fileEveryMs: config["snapshot.every"] },
      }),
    );
    const desk = this.#desk = new RouteDesk(state, queueRulesOf(config));
    const onQueued = () => this.#clerk.queued();
    this.#routes = this.#open.use(new RouteServer({ context, state, desk, metrics, onQueued }));
    this.#clerk = this.#open.use(
      new QueueClerk({
        ...{ context, desk, metrics },
        reply: (waiting, outcome) => this.#routes.settled(waiting, outcome),
        isPresent: (frontend) => state.ledger.isPresent(frontend),
      }),
    );
  }

  /** What it knows, and who waits there. */
  get inside(): RouterInside {
    return { state: this.#state, desk: this.#desk };
  }

  /** Listens first and then reads the registry: nothing is missed in between. */
  async open(): Promise<void> {
    const { bus, clock, registry, namespace, log, metrics } = this.#context;
    const onModels = () => {
      this.#truth.cardsChanged();
      // Siblings decide until this router knows what they know.
      if (this.#truth.isRestored) this.#routes.follow();
    };
    this.#open.use(
      new StateFeed({
        ...{ context: this.#context, state: this.#state, metrics: this.#metrics },
        ...{ snapshots: this.#snapshots, onModels },
        ...{ onLoad: () => this.#clerk.look(), onEntry: (entry) => this.#clerk.heard(entry) },
      }),
    );
    metrics.onCollect(() => setGauges(this.#metrics, this.#state, clock.nowMs()));
    metrics.onCollect(() => this.#truth.measure());
    const reach = new ReachMeter(this.#metrics);
    metrics.onCollect(() => reach.collect(this.#state.reach));
    metrics.onCollect(() => setQueueGauges(this.#metrics, this.#state, this.#desk));
    const watch = await watchRegistry({
      ...{ registry, namespace, clock, log, state: this.#state, onModels },
      ...{ peers: this.#peers, onBad: (kind) => this.#metrics.badMessages.add(1, { kind }) },
    });
    if (!watch.ok) throw new StartError(watch.error.message);
    this.#open.use(watch.value);
    await bus.flush();
    await this.#truth.restore();
    this.#routes.follow();
  }

  health(): Health {
    const nowMs = this.#context.clock.nowMs();
    const { fleet, streams, ledger } = this.#state;
    const models = Array.from(fleet.models.values(), ({ name, ranks }) => {
      const live = ranks.filter((rank) => rankState(this.#state, rank, nowMs) === "live");
      return [name, { workers: ranks.length, live: live.length }] as const;
    });
    const { usedBlocks: blocks, capacityBytes } = streams.budget;
    return {
      status: this.#isDraining ? "draining" : "ready",
      details: {
        models: Object.fromEntries(models),
        index: { blocks, capacityBytes, ...sourceCounts(this.#state) },
        bookings: ledger.size,
        queue: this.#desk.size,
        policy: this.#state.policy,
        bus: this.#context.bus.status,
        trust: this.#state.truth.audits.counts(),
      },
    };
  }

  /** Decisions take no time: nothing runs once no more requests come, and those that wait are sent to another router. */
  async drain(_signal: AbortSignal): Promise<void> {
    this.#isDraining = true;
    this.#routes[Symbol.dispose]();
    this.#clerk.close();
    await this.#truth.close();
    await this.#context.bus.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDraining = true;
    this.#open[Symbol.dispose]();
    await this.#file?.[Symbol.asyncDispose]();
  }
}

/** A running router's core. */
export interface RouterInside {
  readonly state: RouterState;
  readonly desk: RouteDesk;
}

/** The core of a running router, for the simulator's checks; nothing where the service is no router. */
export function routerInside(service: Service): RouterInside | undefined {
  return service instanceof Router ? service.inside : undefined;
}

/** The router program. */
export const routerSpec: ServiceSpec<typeof routerSchema> = {
  name: "router",
  summary: "Chooses the worker of every request: longest cached prefix, least load",
  schema: routerSchema,
  async start(config, context): Promise<Service> {
    const router = new Router(config, context);
    try {
      await router.open();
      return router;
    } catch (error) {
      await router[Symbol.asyncDispose]();
      throw error;
    }
  },
};
