/**
 * The whole cluster under one virtual clock, for who compares it with the real one.
 * @module
 */
export { promptOf } from "./core/sim_trace.ts";
export type { SimRequest, SimTrace } from "./core/sim_trace.ts";
export type { RequestStory } from "./request_watch.ts";
export { simSchema } from "./sim_config.ts";
export { runSim } from "./sim_run.ts";
export type { SimPlan, SimResult } from "./sim_run.ts";
export { simModel } from "./sim_shape.ts";
export { simModelFile, simPlanOf, simVocabulary } from "./sim_setup.ts";
