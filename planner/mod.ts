/**
 * How many GPUs on which job: it watches and plans, and moves workers where it is told to act.
 * @module
 */
export { plannerSchema } from "./config.ts";
export type { PlannerConfig } from "./config.ts";
export { doneWords, historyLine, historyWords } from "./history_words.ts";
export { modelOf } from "./plan_history.ts";
export type { HistoryLine, KeptPlan } from "./plan_history.ts";
export { plannerSpec } from "./service.ts";
export type { InputsView, ModelView, PlanView } from "./service.ts";
