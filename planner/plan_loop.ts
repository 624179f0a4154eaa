import { modelHashOf } from "@pixii/wire";
import type { ServiceContext } from "@pixii/runtime";
import type { Actuator } from "./actuators/actuator.ts";
import type { PlannerConfig } from "./config.ts";
import type { LoadWindow } from "./core/load_window.ts";
import { kindOf } from "./core/plan_input.ts";
import type { StepInput } from "./core/plan_input.ts";
import type { PlanRecord } from "./core/plan_record.ts";
import { mostOpen, PlannerCore } from "./core/planner_core.ts";
import { rulesProblems } from "./core/rules.ts";
import { noRoom } from "./core/start_room.ts";
import { Leader } from "./leader.ts";
import type { PlannerMetrics } from "./metrics.ts";
import { LiveRules } from "./model_rules.ts";
import { Mover } from "./mover.ts";
import type { Observer } from "./observer.ts";
import { overridesOf } from "./orders.ts";
import type { ActNote, KeptPlan, PlanHistory } from "./plan_history.ts";
import type { PlanInputs } from "./plan_inputs.ts";
import type { ProfileShelf } from "./profile_shelf.ts";
import type { RegistryView } from "./registry_view.ts";

/** Looks between two steps are at least this far apart. */
const soonMs = 1_000;

/** A model's latest decision. */
export interface ModelPlan {
  readonly record: PlanRecord;
  readonly mode: KeptPlan["mode"];
  readonly acts: readonly ActNote[];
}

/** What the loop works with. */
export interface PlanLoopParts {
  readonly config: PlannerConfig;
  readonly context: ServiceContext;
  readonly metrics: PlannerMetrics;
  readonly window: LoadWindow;
  readonly observer: Observer;
  readonly view: RegistryView;
  readonly profiles: ProfileShelf;
  readonly history: PlanHistory;
  readonly inputs: PlanInputs;
  readonly actuators: readonly Actuator[];
  /** What decides; the planner's own core without it. */
  readonly core?: Pick<PlannerCore, "step" | "outcomes">;
}

/**
 * Step after step: what is seen goes to the core, what it decides is kept and, where this planner acts, carried out. A step
 * that cannot be made leaves the last plan as it is.
 */
export class PlanLoop implements AsyncDisposable {
  readonly #parts: PlanLoopParts;
  readonly #rules: LiveRules;
  readonly #core: Pick<PlannerCore, "step" | "outcomes">;
  readonly #leader: Leader | undefined;
  readonly #mover: Mover;
  readonly #plans = new Map<string, ModelPlan>();
  /** Decisions that were carried out. */
  readonly #done = new Set<number>();
  #timer: Disposable | undefined;
  #soon: Disposable | undefined;
  #lookedMs = -Infinity;
  #step: Promise<void> | undefined;
  #problems: readonly string[] = [];

  constructor(parts: PlanLoopParts) {
    this.#parts = parts;
    const { config, context, view, actuators, metrics } = parts;
    const { registry, namespace, instance, clock, log } = context;
    this.#rules = new LiveRules(config);
    this.#core = parts.core ?? new PlannerCore(this.#rules.rules);
    this.#leader = config.mode === "act"
      ? new Leader({ registry, namespace, instance, clock, log })
      : undefined;
    this.#mover = new Mover({
      ...{ instance, registry, namespace, view, actuators, clock, log, metrics },
      mayAct: () => this.leads,
    });
  }

  /** True where this planner acts and no other may. */
  get leads(): boolean {
    return this.#leader?.isLeader ?? false;
  }

  /** GPUs that all models may have together. */
  get budgetGpus(): number {
    return this.#rules.rules.budgetGpus;
  }

  /** What keeps it from planning, in words; empty where nothing does. */
  get problems(): readonly string[] {
    return this.#problems;
  }

  /** The latest decision for a model. */
  planOf(model: string): ModelPlan | undefined {
    return this.#plans.get(model);
  }

  /** What a step would be given now: a look, that changes nothing and is kept nowhere. */
  look(): StepInput {
    const { context, observer, view } = this.#parts;
    const nowMs = context.clock.nowMs();
    return {
      rules: this.#rules.rules,
      seen: { nowMs, models: observer.models(nowMs) },
      overrides: overridesOf(view.orders.values()),
    };
  }

  /** Starts stepping. */
  async open(): Promise<void> {
    await this.#leader?.claim();
    const { clock } = this.#parts.context;
    this.#timer = clock.every(this.#parts.config.reactive, () => void this.step());
  }

  /** One step; a second call waits for the first. */
  step(): Promise<void> {
    return this.#step ??= this.#run(false).finally(() => this.#step = undefined);
  }

  /** A look before the next step is due: requests wait for a model that sleeps, or for a GPU. Too soon, it is left out. */
  soon(): void {
    const nowMs = this.#parts.context.clock.nowMs();
    if (nowMs - this.#lookedMs < soonMs || this.#timer === undefined) return;
    this.#lookedMs = nowMs;
    this.#step ??= this.#run(true).finally(() => this.#step = undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    this.#soon?.[Symbol.dispose]();
    await this.#step;
    await this.#leader?.[Symbol.asyncDispose]();
  }

  async #run(isEarly: boolean): Promise<void> {
    try {
      await this.#plan(isEarly);
    } catch (error) {
      this.#say([
        `A step of the planner failed, the last plan stands: ${(error as Error).message}`,
      ]);
      this.#parts.context.log.error("a step of the planner failed", { error });
    }
  }

  async #plan(isEarly: boolean): Promise<void> {
    const { context, observer, view, window, history, metrics } = this.#parts;
    const nowMs = context.clock.nowMs();
    window.forgetDead(nowMs);
    const cards = [...view.cards.values()];
    if (view.names.size === 0) return this.#say([]);
    // First: a new wish for the same worker would cover what became of the last one.
    if (this.leads) {
      const reports = window.workers(nowMs).map(({ report }) => report);
      for (const ended of await this.#mover.tidy(reports)) history.flip(ended);
    }
    this.#rules.look(cards, [...view.sleepers.values()]);
    const models = observer.models(nowMs);
    const wrong = rulesProblems(this.#rules.rules);
    const options = this.#rules.problems;
    this.#say([...wrong, ...options, ...this.#parts.profiles.problems, ...this.#unknown(models)]);
    if (wrong.length > 0) return;
    const mode = this.#leader === undefined ? "watch" : this.leads ? "act" : "standby";
    const seen = { ...kindOf({ nowMs, isEarly, watchesOnly: mode !== "act" }), models };
    const by = context.instance;
    const at = new Date(context.clock.wallMs()).toISOString();
    const overrides = overridesOf(view.orders.values());
    this.#parts.inputs.step({ rules: this.#rules.rules, seen, overrides });
    for (const record of this.#core.outcomes(seen)) {
      history.outcome({ record, by, at, isDone: this.#done.delete(record.id) });
    }
    for (const record of this.#core.step(seen, overrides)) {
      metrics.decisions.add(1, { loop: record.loop });
      const acts = mode === "act" ? await this.#mover.carry(record) : [];
      if (acts.some(({ ok }) => ok)) this.#note(record.id);
      const plan = { record, mode, acts } as const;
      this.#plans.set(record.model, plan);
      history.plan({ ...plan, by, at });
      if (record.bound === noRoom && mode === "act") this.#lookSoon();
    }
  }

  /** A start waits for a GPU: it is looked again before the next step. */
  #lookSoon(): void {
    this.#soon?.[Symbol.dispose]();
    this.#soon = this.#parts.context.clock.timer(soonMs, () => this.soon());
  }

  /** Remembers that a decision was carried out, until its outcome is told. */
  #note(id: number): void {
    this.#done.add(id);
    // As many as the core waits for at most; of an older one no outcome is told.
    if (this.#done.size > mostOpen) this.#done.delete(this.#done.values().next().value!);
  }

  /** Models that nobody measured. */
  #unknown(models: ReturnType<Observer["models"]>): readonly string[] {
    const { view, profiles } = this.#parts;
    return models.filter(({ times }) => times === undefined).map(({ model }) =>
      profiles.whyNone(view.cardsOf(modelHashOf(model)))
    );
  }

  /** Problems, each logged when it is new. */
  #say(problems: readonly string[]): void {
    for (const problem of problems) {
      if (!this.#problems.includes(problem)) this.#parts.context.log.warn(problem);
    }
    this.#problems = problems;
  }
}
