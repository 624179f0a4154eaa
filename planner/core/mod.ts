/**
 * The planner without its shell: what is seen goes in, decisions come out.
 * @module
 */
export { waitChance } from "./capacity/erlang.ts";
export { bestSplit, needOf, noWorkers, rateOf, sizeOf } from "./capacity/need.ts";
export type { Counts, Layout } from "./capacity/need.ts";
export { PhaseCapacity } from "./capacity/phase_capacity.ts";
export type { Mix, ServiceGoal, Spread } from "./capacity/service_goal.ts";
export { ForecastChoice } from "./forecast/forecast_choice.ts";
export type { Observation, SeenDemand, SeenModel, SeenWorker } from "./observation.ts";
export { InputWriter } from "./plan_input.ts";
export type { InputLine, StepInput, StepModel } from "./plan_input.ts";
export { PlanReplay, replayPlans } from "./plan_replay.ts";
export {
  countsText,
  forecastText,
  mixText,
  moveText,
  rateText,
  recordWords,
} from "./plan_words.ts";
export type { KeptRecord, ReplayResult } from "./plan_replay.ts";
export type { PlanCandidate, PlanMove, PlanRecord } from "./plan_record.ts";
export { PlannerCore } from "./planner_core.ts";
export { rulesProblems, usualRules } from "./rules.ts";
export type { ModelRules, Override, PlannerRules } from "./rules.ts";
