/**
 * How many GPUs on which job. Today it watches and says what it sees; it moves nothing.
 * @module
 */
export { plannerSchema } from "./config.ts";
export type { PlannerConfig } from "./config.ts";
export { plannerSpec } from "./service.ts";
