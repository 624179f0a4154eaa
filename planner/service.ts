import { decode, roles, subjects } from "@pixii/wire";
import type { LoadReport, ModelHash, PlanOrder } from "@pixii/wire";
import { exitCodes, StartError, version } from "@pixii/runtime";
import type { Health, Service, ServiceContext, ServiceSpec, Subscription } from "@pixii/runtime";
import { openActuators } from "./actuators/open.ts";
import { plannerSchema } from "./config.ts";
import type { PlannerConfig } from "./config.ts";
import type { Demand } from "./core/demand_window.ts";
import { InputWriter } from "./core/plan_input.ts";
import type { InputLine } from "./core/plan_input.ts";
import { leanOf, pressureOf } from "./core/lean.ts";
import type { Lean } from "./core/lean.ts";
import { LoadWindow, sumLoads } from "./core/load_window.ts";
import type { LoadSums, WorkerLoad } from "./core/load_window.ts";
import { HistoryFile } from "./history_file.ts";
import { plannerMetrics } from "./metrics.ts";
import type { PlannerMetrics } from "./metrics.ts";
import { Observer } from "./observer.ts";
import { historyWords } from "./history_words.ts";
import { PlanInputs } from "./plan_inputs.ts";
import { PlanHistory } from "./plan_history.ts";
import type { HistoryLine } from "./plan_history.ts";
import { PlanLoop } from "./plan_loop.ts";
import type { ModelPlan } from "./plan_loop.ts";
import { openProfiles } from "./profile_shelf.ts";
import { openRegistryView } from "./registry_view.ts";
import type { RegistryView } from "./registry_view.ts";

/** One model as the planner sees it. */
export interface ModelView {
  /** Served name, where a worker has said it. */
  readonly name: string | undefined;
  readonly demand: Demand;
  /** Which way its workers lean now, whatever is planned. */
  readonly lean: Lean;
  /** The latest decision; absent where there was none. */
  readonly plan: ModelPlan | undefined;
}

/** What `/plan` answers. */
export interface PlanView {
  /** The planner. */
  readonly by: string;
  /** False: it says what it would do and moves nothing. */
  readonly acts: boolean;
  /** Of several planners that act this is the one. */
  readonly leads: boolean;
  readonly windowSeconds: number;
  /** What keeps it from planning, in words; the last plan stands. */
  readonly problems: readonly string[];
  readonly budgetGpus: number;
  readonly orders: readonly PlanOrder[];
  /** By model hash. */
  readonly models: Readonly<Record<string, ModelView>>;
  readonly roles: Readonly<Record<LoadReport["role"], LoadSums>>;
  readonly workers: readonly WorkerLoad[];
}

/** What `/plan/inputs` answers. */
export interface InputsView {
  /** The planner. */
  readonly by: string;
  /** Everything that its core was given since it began, a JSON text each; null where that was too much to keep. */
  readonly lines: readonly string[] | null;
  /** What a step would be given now. */
  readonly now: readonly InputLine[];
}

/** Everything that a planner is made of. */
interface PlannerParts {
  readonly config: PlannerConfig;
  readonly context: ServiceContext;
  readonly metrics: PlannerMetrics;
  readonly window: LoadWindow;
  readonly observer: Observer;
  readonly view: RegistryView;
  readonly loop: PlanLoop;
  readonly history: PlanHistory;
  readonly inputs: PlanInputs;
  readonly open: AsyncDisposableStack;
}

/** Hears what workers and frontends report, lets the loop plan, and shows it all. */
class Planner implements Service {
  readonly adminRoutes = {
    "/plan": () => this.view(),
    "/plan/history": (url: URL) => this.history(url),
    "/plan/inputs": () => this.inputs(),
  };
  readonly #parts: PlannerParts;
  readonly #subscriptions: readonly Subscription[];

  constructor(parts: PlannerParts) {
    this.#parts = parts;
    const { context } = parts;
    context.metrics.onCollect(() => this.#measure());
    const { allLoad, allDemand } = subjects(context.namespace);
    this.#subscriptions = [
      context.bus.subscribe(allLoad, (message) => this.#onLoad(message.payload)),
      context.bus.subscribe(allDemand, (message) => this.#onDemand(message.payload)),
    ];
  }

  view(): PlanView {
    const { context, window, config, loop, view } = this.#parts;
    const nowMs = context.clock.nowMs();
    window.forgetDead(nowMs);
    const workers = window.workers(nowMs);
    const sums = roles.map((role) => [role, sumLoads(workers, role)] as const);
    return {
      ...{ by: context.instance, acts: config.mode === "act", leads: loop.leads },
      problems: loop.problems,
      ...{ windowSeconds: Math.round(config.window / 1000), budgetGpus: loop.budgetGpus },
      orders: [...view.orders.values()],
      models: this.#models(workers, nowMs),
      roles: Object.fromEntries(sums) as PlanView["roles"],
      workers,
    };
  }

  /** The latest decisions, the oldest first: `?last=N`, `?model=NAME`, `?words=1` with words for people. */
  history(url: URL): { readonly lines: readonly HistoryLine[] } {
    const model = url.searchParams.get("model") ?? undefined;
    const asked = Number(url.searchParams.get("last") ?? NaN);
    const last = Number.isInteger(asked) && asked > 0 ? asked : undefined;
    const lines = this.#parts.history.select({
      ...(model === undefined ? {} : { model }),
      ...(last === undefined ? {} : { last }),
    });
    if (!url.searchParams.has("words")) return { lines };
    return { lines: lines.map((line) => ({ ...line, words: historyWords(line) })) };
  }

  /** What decisions can be made again from, and what the next one would be made from now. */
  inputs(): InputsView {
    const { context: { instance: by }, loop, inputs } = this.#parts;
    const now = new InputWriter(by).lines(loop.look());
    return { by, lines: inputs.lines ?? null, now };
  }

  health(): Health {
    const { context, config, loop } = this.#parts;
    const { ranks, stale } = this.#count();
    return {
      status: "ready",
      details: {
        ...{ acts: config.mode === "act", leads: loop.leads, problems: loop.problems },
        ...{ workers: ranks, stale, bus: context.bus.status },
      },
    };
  }

  /** Moves nothing more; what was asked for goes on by itself. */
  async drain(_signal: AbortSignal): Promise<void> {
    await this.#close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #close(): Promise<void> {
    for (const one of this.#subscriptions) one[Symbol.dispose]();
    await this.#parts.open.disposeAsync();
  }

  #models(workers: readonly WorkerLoad[], nowMs: number): Readonly<Record<string, ModelView>> {
    const { observer, view, loop } = this.#parts;
    const { names } = view;
    const hashes = new Set([
      ...view.sleepers.keys(),
      ...observer.asked,
      ...workers.map((one) => one.report.model),
    ]);
    const views = [...hashes].sort().map((hash: ModelHash): [string, ModelView] => {
      const mine = workers.filter((one) => one.report.model === hash);
      const name = names.get(hash);
      return [hash, {
        ...{ name, demand: observer.demandOf(hash, nowMs), lean: leanOf(pressureOf(mine)) },
        plan: name === undefined ? undefined : loop.planOf(name),
      }];
    });
    return Object.fromEntries(views);
  }

  #count(): { readonly ranks: number; readonly stale: number } {
    const { context, window } = this.#parts;
    const nowMs = context.clock.nowMs();
    window.forgetDead(nowMs);
    return window.count(nowMs);
  }

  #onLoad(payload: Uint8Array): void {
    const { context, metrics, window } = this.#parts;
    const report = decode("loadReport", payload);
    if (!report.ok) {
      metrics.badReports.add();
      context.log.debug("load report passed over", { reason: report.error.message });
      return;
    }
    metrics.reports.add();
    window.put(report.value, context.clock.nowMs());
  }

  #onDemand(payload: Uint8Array): void {
    const { context, metrics, observer } = this.#parts;
    const report = decode("demandReport", payload);
    if (!report.ok) {
      metrics.badDemand.add();
      context.log.debug("demand report passed over", { reason: report.error.message });
      return;
    }
    if (observer.demand(report.value, context.clock.nowMs())) this.#parts.loop.soon();
  }

  #measure(): void {
    const { metrics, loop } = this.#parts;
    const { roles: sums, models } = this.view();
    const { ranks, stale } = this.#count();
    metrics.workers.set(ranks - stale, { state: "fresh" });
    metrics.workers.set(stale, { state: "stale" });
    metrics.leader.set(loop.leads ? 1 : 0);
    for (const role of roles) {
      metrics.replicas.set(sums[role].ranks, { role });
      metrics.running.set(sums[role].running, { role });
      metrics.waiting.set(sums[role].waiting, { role });
      metrics.queuedPrefillTokens.set(sums[role].prefillTokens, { role });
    }
    for (const { name: model, plan } of Object.values(models)) {
      if (model === undefined || plan === undefined) continue;
      const { want, forecast, expectedRate } = plan.record;
      for (const role of roles) metrics.targets.set(want[role], { model, role });
      metrics.expectedRate.set(expectedRate, { model });
      if (forecast === undefined) continue;
      metrics.forecastRate.set(forecast.rate, { model });
      if (forecast.error !== undefined) metrics.forecastError.set(forecast.error, { model });
    }
  }
}

async function startPlanner(config: PlannerConfig, context: ServiceContext): Promise<Service> {
  await using open = new AsyncDisposableStack();
  const { registry, namespace, log, clock } = context;
  const metrics = plannerMetrics(context.metrics);
  const view = await openRegistryView(registry, namespace, log);
  if (!view.ok) throw new StartError(view.error.message, exitCodes.missing);
  open.use(view.value);
  const profiles = await openProfiles(config.profiles);
  for (const problem of profiles.problems) log.warn(problem);
  const path = config["history.file"];
  const maxBytes = config["history.file-bytes"];
  const file = path === "" ? undefined : open.use(await HistoryFile.open({ path, maxBytes, log }));
  const history = new PlanHistory(config["history.keep"], (line) => file?.add(line));
  const inputs = new PlanInputs({
    ...{ by: context.instance, at: new Date(clock.wallMs()).toISOString(), version },
    ...{ mostBytes: config["history.replay"], listener: (line) => file?.add(line) },
  });
  const window = new LoadWindow();
  const observer = new Observer({
    ...{ load: window, view: view.value, profiles, namespace, windowMs: config.window },
    ...{ reactiveMs: config.reactive, startTimeoutMs: config["start-timeout"] },
    goal: { ttftMs: config["goal.ttft"], itlMs: config["goal.itl"] },
  });
  const actuators = openActuators(config, context);
  if (!actuators.ok) throw new StartError(actuators.error.message, exitCodes.usage);
  for (const actuator of actuators.value) open.use(actuator);
  const loop = open.use(
    new PlanLoop({
      ...{ config, context, metrics, window, observer, profiles, history, inputs },
      ...{ view: view.value, actuators: actuators.value },
    }),
  );
  await loop.open();
  log.info(config.mode === "act" ? "moves workers" : "plans, and moves nothing", {
    reactive: config.reactive,
    predictive: config.predictive,
    now: clock.nowMs(),
  });
  return new Planner({
    ...{ config, context, metrics, window, observer, view: view.value, loop, history, inputs },
    open: open.move(),
  });
}

/** The planner program. */
export const plannerSpec: ServiceSpec<typeof plannerSchema> = {
  name: "planner",
  summary: "Plans how many workers do what, and moves them where it is told to act",
  schema: plannerSchema,
  start: startPlanner,
};
