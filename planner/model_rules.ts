import type { ModelCard } from "@pixii/wire";
import { parseDuration } from "@pixii/runtime";
import type { PlannerConfig } from "./config.ts";
import { usualRules } from "./core/rules.ts";
import type { ModelRules, PlannerRules } from "./core/rules.ts";

/** Budget before any worker was seen: rules must have one. */
const noBudgetYet = 1;

type Open<T> = { -readonly [K in keyof T]: T[K] };

/**
 * The rules that the core plans by. It looks at them in every step, so that models may come and the budget may grow with
 * the cluster without its forgetting what it has learned.
 */
export class LiveRules {
  readonly rules: PlannerRules;
  readonly #config: PlannerConfig;
  readonly #models: Open<ModelRules>[] = [];
  readonly #open: Open<PlannerRules>;
  readonly #priorities: ReadonlyMap<string, number>;
  /** By model; the empty name is all others. */
  readonly #sleeps: ReadonlyMap<string, number | undefined>;

  constructor(config: PlannerConfig) {
    this.#config = config;
    this.#priorities = new Map(config.priority.map((text) => {
      const at = text.lastIndexOf("=");
      return [text.slice(0, at), Number(text.slice(at + 1))];
    }));
    this.#sleeps = new Map(config["sleep-after"].map((text) => {
      const at = text.lastIndexOf("=");
      return [text.slice(0, Math.max(0, at)), parseDuration(text.slice(at + 1))];
    }));
    this.rules = this.#open = {
      ...usualRules,
      models: this.#models,
      budgetGpus: config.gpus ?? noBudgetYet,
      elastic: config.scale !== "off",
      predictiveMs: config.predictive,
      reactiveMs: config.reactive,
      startMs: config["start-time"],
      flipMs: config["flip-time"],
      coolDownMs: config["cool-down"],
      holdMs: config.hold,
      headroom: config.headroom,
      hysteresis: config.hysteresis,
    };
  }

  /** What is wrong with the options, in words that say what to do. */
  get problems(): readonly string[] {
    if (this.#sleeps.size === 0 || this.rules.elastic) return [];
    return [
      "No model goes to sleep: --sleep-after needs somebody who starts and stops workers, see --scale",
    ];
  }

  /**
   * Takes what is there: new models, roles that make a model a split one, more workers than ever. `asleep`: cards of models
   * that have no worker now.
   */
  look(live: readonly ModelCard[], asleep: readonly ModelCard[] = []): void {
    const cards = [...live, ...asleep];
    if (this.#config.gpus === undefined) {
      const ranks = live.reduce((sum, { dpSize }) => sum + dpSize, 0);
      this.#open.budgetGpus = Math.max(this.#open.budgetGpus, ranks);
    }
    for (const name of new Set(cards.map((card) => card.name))) {
      let rules = this.#models.find(({ model }) => model === name);
      if (rules === undefined) this.#models.push(rules = this.#made(name));
      const { layout } = this.#config;
      const isSplit = cards.some((card) => card.name === name && card.role !== "both");
      rules.layout = layout === "auto" ? (isSplit ? "split" : "both") : layout;
      rules.least = this.#least(rules.layout);
    }
  }

  #made(model: string): Open<ModelRules> {
    const goal = { ttftMs: this.#config["goal.ttft"], itlMs: this.#config["goal.itl"] };
    const priority = this.#priorities.get(model) ?? 0;
    const sleepAfterMs = this.#sleeps.has(model) ? this.#sleeps.get(model) : this.#sleeps.get("");
    return {
      ...{ model, goal, layout: "both", least: this.#least("both"), priority },
      ...(sleepAfterMs === undefined || !this.rules.elastic ? {} : { sleepAfterMs }),
    };
  }

  #least(layout: ModelRules["layout"]): ModelRules["least"] {
    const config = this.#config;
    if (layout === "both") return { prefill: 0, decode: 0, both: config["least.both"] };
    return { prefill: config["least.prefill"], decode: config["least.decode"], both: 0 };
  }
}
