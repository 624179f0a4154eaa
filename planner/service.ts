import { decode, subjects } from "@pixii/wire";
import type { LoadReport } from "@pixii/wire";
import type { Health, Service, ServiceContext, ServiceSpec, Subscription } from "@pixii/runtime";
import { plannerSchema } from "./config.ts";
import { LoadWindow, sumLoads } from "./core/load_window.ts";
import type { LoadSums, WorkerLoad } from "./core/load_window.ts";
import { plannerMetrics } from "./metrics.ts";
import type { PlannerMetrics } from "./metrics.ts";

const roles = ["prefill", "decode", "both"] as const satisfies readonly LoadReport["role"][];

/** What the planner does not do yet, for `/health` and the log. */
const missing = "watches only: no forecast, no plan, moves no GPUs";

/** What `/plan` answers. */
export interface PlanView {
  /** False: nothing is moved. */
  readonly acts: false;
  readonly missing: string;
  readonly roles: Readonly<Record<LoadReport["role"], LoadSums>>;
  readonly workers: readonly WorkerLoad[];
}

/** Keeps the latest load report of every worker and shows what it sees. */
class Planner implements Service {
  readonly adminRoutes = { "/plan": () => this.view() };
  readonly #context: ServiceContext;
  readonly #metrics: PlannerMetrics;
  readonly #window = new LoadWindow();
  readonly #loads: Subscription;

  constructor(context: ServiceContext) {
    this.#context = context;
    this.#metrics = plannerMetrics(context.metrics);
    context.metrics.onCollect(() => this.#measure());
    const subject = subjects(context.namespace).allLoad;
    this.#loads = context.bus.subscribe(subject, (message) => this.#onLoad(message.payload));
  }

  view(): PlanView {
    const nowMs = this.#context.clock.nowMs();
    this.#window.forgetDead(nowMs);
    const workers = this.#window.workers(nowMs);
    const sums = roles.map((role) => [role, sumLoads(workers, role)] as const);
    return { acts: false, missing, roles: Object.fromEntries(sums) as PlanView["roles"], workers };
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
    this.#loads[Symbol.dispose]();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#loads[Symbol.dispose]();
    return Promise.resolve();
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
  start(_config, context): Promise<Service> {
    context.log.info(missing);
    return Promise.resolve(new Planner(context));
  },
};
