import type { Counts, Layout } from "./capacity/need.ts";
import type { ServiceGoal } from "./capacity/service_goal.ts";

/** What operators want for one model. */
export interface ModelRules {
  readonly model: string;
  readonly goal: ServiceGoal;
  readonly layout: Layout;
  /** Workers that are always there. */
  readonly least: Counts;
  /** Of two models that want the same GPU the one with the larger number gets it. */
  readonly priority: number;
  /** A model that nobody asked for this long has no workers until it is asked for; never without it. */
  readonly sleepAfterMs?: number;
}

/** What an operator asked for by hand: it expires by itself. */
export type Override =
  /** Nothing is moved. */
  | { readonly kind: "pause"; readonly model?: string; readonly reason: string }
  /** These counts and no others. */
  | {
    readonly kind: "pin";
    readonly model: string;
    readonly counts: Counts;
    readonly reason: string;
  }
  /** Moves of this kind are left out, those of one worker, or all that lead to these counts. */
  | {
    readonly kind: "veto";
    readonly model?: string;
    readonly move?: "flip" | "start" | "stop";
    readonly instance?: string;
    readonly counts?: Counts;
    readonly reason: string;
  };

/** How the planner plans. All times in ms. */
export interface PlannerRules {
  readonly models: readonly ModelRules[];
  /** GPUs of all models together. */
  readonly budgetGpus: number;
  /** Whether workers can be started and stopped; where not, only roles change. */
  readonly elastic: boolean;
  /** The predictive loop sets the floor, the reactive one corrects. */
  readonly predictiveMs: number;
  readonly reactiveMs: number;
  /** From asking for a worker until it takes work; from asking for another role until it has it. */
  readonly startMs: number;
  readonly flipMs: number;
  /** After a move of a model nothing is moved the other way for so long, unless it is pressed. */
  readonly coolDownMs: number;
  /** Workers go only where fewer were enough for so long. */
  readonly holdMs: number;
  /** Room above what is foretold, as a share of it, on top of what the planner adds for forecasts that are wrong. */
  readonly headroom: number;
  /**
   * Workers go only where this share more could come and fewer were still enough. Where only roles change one does where
   * that serves more by this share; less is enough while requests wait.
   */
  readonly hysteresis: number;
  /** Length of a day, for the season. */
  readonly dayMs: number;
}

/** Rules that suit minutes-long starts; whoever knows better says so. */
export const usualRules: Omit<PlannerRules, "models" | "budgetGpus"> = {
  elastic: false,
  predictiveMs: 60_000,
  reactiveMs: 5_000,
  startMs: 60_000,
  flipMs: 5_000,
  coolDownMs: 60_000,
  holdMs: 120_000,
  headroom: 0,
  hysteresis: 0.08,
  dayMs: 86_400_000,
};

/** What is wrong with rules, in words that say what to do; empty where nothing is. */
export function rulesProblems(rules: PlannerRules): string[] {
  const problems: string[] = [];
  if (!(Number.isInteger(rules.budgetGpus) && rules.budgetGpus >= 1)) {
    problems.push(`The GPU budget must be 1 or more, got ${rules.budgetGpus}: raise --gpus`);
  }
  const least = rules.models.reduce((sum, { least: { prefill, decode, both }, sleepAfterMs }) => {
    if (sleepAfterMs !== undefined) return sum;
    return sum + prefill + decode + both;
  }, 0);
  if (least > rules.budgetGpus) {
    problems.push(
      `The models' least workers are ${least} and the budget is ${rules.budgetGpus} GPUs: raise --gpus or lower the minimum`,
    );
  }
  for (const { model, goal } of rules.models) {
    const isFit = (ms: number) => Number.isFinite(ms) && ms > 0;
    if (!isFit(goal.ttftMs) || !isFit(goal.itlMs)) {
      problems.push(
        `The goals of ${model} must be above 0 ms, got ttft ${goal.ttftMs} and itl ${goal.itlMs}`,
      );
    }
  }
  return problems;
}
