import { decode, subjects } from "@pixii/wire";
import type { LoadReport, ModelHash } from "@pixii/wire";
import type { Health, Service, ServiceContext, ServiceSpec, Subscription } from "@pixii/runtime";
import { plannerSchema } from "./config.ts";
import type { PlannerConfig } from "./config.ts";
import { DemandWindow } from "./core/demand_window.ts";
import type { Demand } from "./core/demand_window.ts";
import { leanOf, pressureOf } from "./core/lean.ts";
import type { Lean } from "./core/lean.ts";
import { LoadWindow, sumLoads } from "./core/load_window.ts";
import type { LoadSums, WorkerLoad } from "./core/load_window.ts";
import { plannerMetrics } from "./metrics.ts";
import type { PlannerMetrics } from "./metrics.ts";

const roles = ["prefill", "decode", "both"] as const satisfies readonly LoadReport["role"][];

/** What the planner does not do yet, for `/health` and the log. */
const missing = "watches only: no forecast, no plan, moves no GPUs";
/** Most models whose demand is kept; the one known longest makes room. */
const mostModels = 1024;

/** One model as the planner sees it. */
export interface ModelView {
  readonly demand: Demand;
  /** Which way it would move GPUs of this model if it acted. */
  readonly lean: Lean;
}

/** What `/plan` answers. */
export interface PlanView {
  /** False: nothing is moved. */
  readonly acts: false;
  readonly missing: string;
  readonly windowSeconds: number;
  /** By model hash. */
  readonly models: Readonly<Record<string, ModelView>>;
  readonly roles: Readonly<Record<LoadReport["role"], LoadSums>>;
  readonly workers: readonly WorkerLoad[];
}

/** Keeps the latest load report of every worker and the demand of every model, and shows what it sees. */
class Planner implements Service {
  readonly adminRoutes = { "/plan": () => this.view() };
  readonly #context: ServiceContext;
  readonly #metrics: PlannerMetrics;
  readonly #window = new LoadWindow();
  readonly #demand = new Map<ModelHash, DemandWindow>();
  readonly #windowSeconds: number;
  readonly #open: readonly Subscription[];

  constructor(config: PlannerConfig, context: ServiceContext) {
    this.#context = context;
    this.#windowSeconds = Math.round(config.window / 1000);
    this.#metrics = plannerMetrics(context.metrics);
    context.metrics.onCollect(() => this.#measure());
    const { allLoad, allDemand } = subjects(context.namespace);
    this.#open = [
      context.bus.subscribe(allLoad, (message) => this.#onLoad(message.payload)),
      context.bus.subscribe(allDemand, (message) => this.#onDemand(message.payload)),
    ];
  }

  view(): PlanView {
    const nowMs = this.#context.clock.nowMs();
    this.#window.forgetDead(nowMs);
    const workers = this.#window.workers(nowMs);
    const sums = roles.map((role) => [role, sumLoads(workers, role)] as const);
    return {
      ...{ acts: false, missing, windowSeconds: this.#windowSeconds },
      models: this.#models(workers, nowMs),
      roles: Object.fromEntries(sums) as PlanView["roles"],
      workers,
    };
  }

  health(): Health {
    const { ranks, stale } = this.#count();
    const { status: bus } = this.#context.bus;
    return {
      status: "ready",
      details: { acts: false, missing, workers: ranks, stale, bus },
    };
  }

  drain(_signal: AbortSignal): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    return Promise.resolve();
  }

  #close(): void {
    for (const one of this.#open) one[Symbol.dispose]();
  }

  #models(workers: readonly WorkerLoad[], nowMs: number): Readonly<Record<string, ModelView>> {
    const hashes = new Set([...this.#demand.keys(), ...workers.map((one) => one.report.model)]);
    const views = [...hashes].sort().map((hash): [string, ModelView] => {
      const demand = this.#demand.get(hash) ?? new DemandWindow(1);
      const mine = workers.filter((one) => one.report.model === hash);
      return [hash, { demand: demand.demand(nowMs), lean: leanOf(pressureOf(mine)) }];
    });
    return Object.fromEntries(views);
  }

  #count(): { readonly ranks: number; readonly stale: number } {
    const nowMs = this.#context.clock.nowMs();
    this.#window.forgetDead(nowMs);
    return this.#window.count(nowMs);
  }

  #onLoad(payload: Uint8Array): void {
    const report = decode("loadReport", payload);
    if (!report.ok) {
      this.#metrics.badReports.add();
      this.#context.log.debug("load report passed over", { reason: report.error.message });
      return;
    }
    this.#metrics.reports.add();
    this.#window.put(report.value, this.#context.clock.nowMs());
  }

  #onDemand(payload: Uint8Array): void {
    const report = decode("demandReport", payload);
    if (!report.ok) {
      this.#metrics.badDemand.add();
      this.#context.log.debug("demand report passed over", { reason: report.error.message });
      return;
    }
    const nowMs = this.#context.clock.nowMs();
    for (const one of report.value.models) this.#demandOf(one.model).add(one, nowMs);
  }

  #demandOf(model: ModelHash): DemandWindow {
    const known = this.#demand.get(model);
    if (known !== undefined) return known;
    if (this.#demand.size === mostModels) this.#demand.delete(this.#demand.keys().next().value!);
    const made = new DemandWindow(this.#windowSeconds);
    this.#demand.set(model, made);
    return made;
  }

  #measure(): void {
    const { roles: sums } = this.view();
    const { ranks, stale } = this.#count();
    this.#metrics.workers.set(ranks - stale, { state: "fresh" });
    this.#metrics.workers.set(stale, { state: "stale" });
    for (const role of roles) {
      this.#metrics.replicas.set(sums[role].ranks, { role });
      this.#metrics.running.set(sums[role].running, { role });
      this.#metrics.waiting.set(sums[role].waiting, { role });
      this.#metrics.queuedPrefillTokens.set(sums[role].prefillTokens, { role });
    }
  }
}

/** The planner program. */
export const plannerSpec: ServiceSpec<typeof plannerSchema> = {
  name: "planner",
  summary: "Watches the load of all workers; moves nothing yet",
  schema: plannerSchema,
  start(config, context): Promise<Service> {
    context.log.info(missing);
    return Promise.resolve(new Planner(config, context));
  },
};
